#pragma once

#include "graph.h"
#include "worker/sdk/worker.h"

namespace ridge::mlx_worker {

// How much memory of a GPU MLX gives and writes to, until it says no. (A CPU's is malloc's.)
class AllocOp : public sdk::Op {
 public:
  AllocOp(Alloc::What what, mx::Device device) : what_(what), device_(device) {}

  void fill(const InputSource&) override {}
  std::vector<double> read(std::string_view, int64_t, std::span<const int64_t>) override;
  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 private:
  Alloc::What what_;
  mx::Device device_;
  int64_t found_ = 0;
};

}  // namespace ridge::mlx_worker
