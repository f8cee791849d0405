#pragma once

#include <string>
#include <vector>

#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// A stream workload on our own loops, each thread on a share of its own.
class StreamOp : public sdk::HostOp {
 public:
  StreamOp(const sdk::Task& task, sdk::Arena& arena, Team& team);

  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 protected:
  void filled(int64_t copy) override;

 private:
  struct Arrays {
    const float* a = nullptr;
    const float* b = nullptr;
    const float* s = nullptr;
    float* c = nullptr;  // or the partial sums
  };
  void run_share(const Arrays& arrays, int64_t begin, int64_t end) const;

  Team& team_;
  Stream stream_;
  int asked_threads_ = 1;
  int threads_ = 1;
  std::vector<std::pair<int64_t, int64_t>> shares_;  // of each thread, in elements
  std::vector<Arrays> arrays_;                       // of each copy
  std::string pages_;
};

}  // namespace ridge::cpu
