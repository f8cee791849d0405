#pragma once

#include "engine.h"
#include "worker/sdk/worker.h"

namespace ridge::llamacpp {

// How much memory of a GPU ggml gives and writes to, until it says no. (A CPU's is malloc's.)
class AllocOp : public sdk::Op {
 public:
  AllocOp(Alloc::What what, ggml_backend_t backend) : what_(what), backend_(backend) {}

  void fill(const InputSource&) override {}
  std::vector<double> read(std::string_view, int64_t, std::span<const int64_t>) override;
  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 private:
  ggml_backend_buffer_ptr try_bytes(int64_t bytes) const;

  Alloc::What what_;
  ggml_backend_t backend_;
  int64_t found_ = 0;
};

}  // namespace ridge::llamacpp
