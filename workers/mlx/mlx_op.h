#pragma once

#include <deque>
#include <optional>

#include "blas.h"
#include "graph.h"
#include "host.h"
#include "worker/sdk/worker.h"

namespace ridge::mlx_worker {

// Where an op runs, and on how many threads of the BLAS. (0: none to set)
struct Target {
  mx::Device device;
  Place place = Place::cpu;
  int threads = 0;
  const Blas* blas = nullptr;
  int cores = 1;  // that make the inputs
};

// Work as a graph of MLX, evaluated each time: run() builds it, starts it and, on a CPU, which has
// no queue to keep filled, waits for it. Outputs are new arrays every time, as MLX makes them; the
// newest of each copy is kept for the check.
class MlxOp : public sdk::Op {
 public:
  MlxOp(const sdk::Task& task, Graph graph, const Target& target);

  // On CUDA it takes note only: what many copies need is evaluated at once, before the first run.
  void fill(const InputSource& inputs) override;
  // Of an output that was never evaluated: NaN. Reading must not do the work.
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override;
  void run(int64_t copy) override;
  void wait() override;
  sdk::OpInfo info() const override;

 protected:
  // Starts what the outputs hang on: on a GPU not each op alone but a batch of them, as an
  // evaluation is a submission of its own, which takes longer than many an op.
  virtual void start(const Arrays& outputs);
  Arrays& inputs(int64_t copy) { return inputs_.at(static_cast<size_t>(copy)); }

 private:
  void submit();          // what is waiting
  void fill_on_device();  // the copies noted
  // In memory of the host, without a call of MLX.
  mx::array poisoned(const TensorSpec& spec) const;
  mx::array filled(const TensorSpec& spec, std::span<const InputSource> copies,
                   mx::Shape shape) const;
  const mx::array* find(std::string_view tensor, int64_t copy, DType& dtype) const;

  std::vector<TensorSpec> input_specs_, output_specs_;
  Graph graph_;
  Target target_;
  mx::Stream stream_;
  std::vector<Arrays> inputs_, outputs_;  // [copy][tensor]
  std::vector<InputSource> noted_;        // copies to be filled
  int64_t copy_bytes_ = 0;
  size_t batch_ = 1;  // ops that are evaluated together
  Arrays waiting_;    // outputs that no evaluation was asked for yet
  size_t waiting_ops_ = 0;
  std::deque<mx::array> in_flight_;  // the last output of each batch that may not be done
};

}  // namespace ridge::mlx_worker
