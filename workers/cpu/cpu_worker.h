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
  // Whether this worker does a kind of work: one line a kind, and op_of() to do it.
  Result<void> can(const Gemm& gemm, const Settings& settings);
  Result<void> can(const Stream& stream, const Settings& settings);
  Result<void> can(const Attention& attention, const Settings& settings);
  Result<void> can(const WorkingSet& set, const Settings& settings);
  Result<void> can(const ConvStack& stack, const Settings& settings);
  Result<void> can(const Dispatch& dispatch, const Settings& settings);
  Result<void> can(const Sustained& sustained, const Settings& settings);
  Result<void> can(const Load& load, const Settings& settings);
  Result<void> can(const Alloc& alloc, const Settings& settings);
  Result<std::string> attention_way(const Attention& attention, const Settings& settings);
  std::unique_ptr<sdk::Op> op_of(const sdk::Task& task);
  template <class Op, class... Args>
  std::unique_ptr<sdk::Op> make(const sdk::Task& task, Args&&... args);

  Result<void> refuses(DType dtype, std::string_view what) const;
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
