#pragma once

#include <vector>

#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// The chase of a workingset: each line holds the address of the next, one thread follows.
class ChaseOp : public sdk::HostOp {
 public:
  ChaseOp(const sdk::Task& task, sdk::Arena& arena, Team& team);

  void fill(const InputSource& inputs) override;
  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 private:
  Team& team_;
  WorkingSet set_;
  std::vector<std::byte*> rings_;  // of each copy, lines() lines of 64 bytes
  int64_t bytes_ = 0;
  std::string pages_;
};

}  // namespace ridge::cpu
