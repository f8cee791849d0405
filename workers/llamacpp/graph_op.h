#pragma once

#include "graph.h"
#include "worker/sdk/worker.h"

namespace ridge::llamacpp {

// Work as graphs of ggml, one set of tensors a copy; what lies between inputs and outputs is shared
// by the copies. On a device with a queue run() submits and wait() waits.
class GraphOp : public sdk::Op {
 public:
  // threads: of the CPU back end; 0 elsewhere. cores: that make the inputs.
  GraphOp(const sdk::Task& task, Plan plan, Engine& engine, const Place& place, int threads,
          int cores);

  void fill(const InputSource& inputs) override;
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override;
  void run(int64_t copy) override;
  void wait() override;
  sdk::OpInfo info() const override;

 private:
  void allocate(Graph& graph);
  void set(const Operand& operand, const InputSource& source) const;

  Plan plan_;
  Engine& engine_;
  Place place_;
  ggml_backend_t backend_;
  int threads_, cores_;
  // Buffers before the graphs, whose tensors lie in them.
  std::vector<ggml_backend_buffer_ptr> buffers_;
  ggml_backend_buffer_ptr scratch_;
  std::vector<Graph> copies_;
  int64_t bytes_ = 0;
};

}  // namespace ridge::llamacpp
