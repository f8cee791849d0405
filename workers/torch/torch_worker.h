#pragma once

#include <memory>
#include <string>

#include "place.h"
#include "worker/sdk/worker.h"

namespace ridge::torch {

// The version that runs, from PyTorch's own account of its build: "2.11.0".
std::string torch_version();

// Devices "cpu", "cuda:0", … and "mps", driven by PyTorch's own operators.
class TorchWorker : public sdk::Worker {
 public:
  TorchWorker(cpu::Topology topology, Cuda cuda);

  sdk::Description describe() override;
  Result<void> supports(const Workload& work, const Settings& settings,
                        std::string_view device) override;
  Result<std::unique_ptr<sdk::Op>> prepare(const sdk::Task& task) override;
  void park() override;

 private:
  Result<Place> place_of(std::string_view device);
  std::unique_ptr<sdk::Op> op_of(const sdk::Task& task, const Place& place);

  Host host_;
  Cuda cuda_;
  bool cuda_in_use_ = false;
  Switches open_;
  std::unique_ptr<sdk::Arena> arena_;
  int64_t live_ops_ = 0;  // the arena is reset when the last is gone
};

}  // namespace ridge::torch
