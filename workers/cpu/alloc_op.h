#pragma once

#include "worker/sdk/worker.h"

namespace ridge::cpu {

// Takes memory in a child process, which the kernel would kill before this one, until little is
// left. What the child had then is the result.
class AllocOp : public sdk::Op {
 public:
  explicit AllocOp(Alloc::What what) : what_(what) {}

  void fill(const InputSource&) override {}
  std::vector<double> read(std::string_view, int64_t, std::span<const int64_t>) override;
  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 private:
  Alloc::What what_;
  int64_t found_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace ridge::cpu
