#pragma once

#include <dnnl.hpp>
#include <vector>

#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// Calls of oneDNN that do next to nothing: its binary addition on 64 elements.
class DispatchOp : public sdk::HostOp {
 public:
  DispatchOp(const sdk::Task& task, sdk::Arena& arena, Team& team, const dnnl::engine& engine);

  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 private:
  struct Copy {
    dnnl::memory x, y;
    std::vector<dnnl_exec_arg_t> first, next;  // y = x + x; y = y + x
  };

  Team& team_;
  int threads_;
  int64_t ops_;
  dnnl::stream stream_;
  dnnl::primitive add_;
  std::string kernel_;
  std::vector<Copy> copies_;
};

}  // namespace ridge::cpu
