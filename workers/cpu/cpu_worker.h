#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <string>

#include "team.h"
#include "topology.h"
#include "worker/sdk/arena.h"
#include "worker/sdk/worker.h"

namespace ridge::cpu {

// One device, "0": the cores of this process, driven by oneDNN and our own loops.
class CpuWorker : public sdk::Worker {
 public:
  explicit CpuWorker(Topology topology);

  sdk::Description describe() override;
  Result<void> supports(const Workload& work, const Settings& settings,
                        std::string_view device) override;
  Result<std::unique_ptr<sdk::Op>> prepare(const sdk::Task& task) override;
  void park() override;

 private:
  Result<void> supports_gemm(const Gemm& gemm, Form form);
  void try_dtypes();
  sdk::Arena& arena();

  Topology topology_;
  Team team_;
  dnnl::engine engine_;
  std::map<DType, std::string> refused_;  // the reason; empty: a product of that dtype came right
  std::unique_ptr<sdk::Arena> arena_;
  int64_t live_ops_ = 0;  // the arena is reset when the last is gone
};

}  // namespace ridge::cpu
