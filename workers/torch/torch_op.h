#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph.h"
#include "place.h"
#include "worker/sdk/worker.h"

namespace ridge::torch {

at::ScalarType scalar_type(DType dtype);

// A workload on PyTorch tensors, `copies` sets of them. Derive, and implement compute().
class TorchOp : public sdk::Op {
 public:
  // What is said of an op to whoever builds it.
  struct Build {
    bool gives_outputs = false;  // the library allocates its outputs: see give()
    bool gradients = false;      // autograd is on
    Switches switches = {};
  };
  TorchOp(const sdk::Task& task, const Place& place, Build build);

  // Runs copy 0 once on whatever the tensors hold, and records where a graph is asked for: what a
  // library refuses it refuses here.
  void first_call();

  void fill(const InputSource& inputs) override;
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override;
  void run(int64_t copy) override;
  void wait() override;
  double device_ns() override;
  sdk::OpInfo info() const override;

 protected:
  // Computes on that copy and nothing else.
  virtual void compute(int64_t copy) = 0;
  // Called at the end of fill(), for what follows from the inputs, on no clock.
  virtual void filled(int64_t copy) { (void)copy; }

  const at::Tensor& tensor(std::string_view name, int64_t copy) const;
  // Sets an output that the library allocated: no copy is made of it.
  void give(size_t index, int64_t copy, const at::Tensor& value);
  size_t index_of(std::string_view name) const;  // throws for an unknown one
  void synchronize();                            // returns when all that was started is done

  const sdk::Task& task() const { return task_; }
  const Place& place() const { return place_; }
  int threads() const { return threads_; }

  std::string kernel_;
  std::vector<std::string> notes_;  // beside those that every row has
  std::optional<std::string> executed_dtype_;

 private:
  // Device, stream and autograd's mode while one of our functions runs.
  class Scope {
   public:
    explicit Scope(const TorchOp& op);

   private:
    c10::InferenceMode mode_;
    std::optional<c10::StreamGuard> stream_;
  };
  void poison(size_t index, int64_t copy);
  void submit(int64_t copy);  // compute() or the graph of it
  void start_clock();

  sdk::Task task_;
  Place place_;
  Build build_;
  int threads_;
  std::vector<TensorSpec> specs_;
  std::vector<std::vector<at::Tensor>> data_;  // [copy][tensor]
  std::vector<std::unique_ptr<Graph>> graphs_;
  std::optional<c10::Stream> stream_;  // of a device
  std::optional<c10::Event> begin_, end_;
  bool started_ = false;
  double device_ns_ = -1;
  std::optional<double> submit_ns_;  // least time that the host took for the first op of a sample
  int64_t bytes_ = 0;
  std::string pages_;
};

}  // namespace ridge::torch
