#pragma once

#include <dnnl.hpp>
#include <string>
#include <vector>

#include "product.h"
#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// A gemm workload on oneDNN. Everything a run needs is made beforehand, one argument list a copy.
class GemmOp : public sdk::HostOp {
 public:
  // Throws std::runtime_error where make_product gives an error.
  GemmOp(const sdk::Task& task, sdk::Arena& arena, Team& team, const dnnl::engine& engine);

  void run(int64_t copy) override;
  void wait() override { stream_.wait(); }
  sdk::OpInfo info() const override;

 protected:
  void filled(int64_t copy) override;

 private:
  dnnl::memory bind(const dnnl::memory::desc& desc, void* at) const {
    return dnnl::memory(desc, engine_, at);
  }

  // The handles in `args` belong to `memories`.
  struct Copy {
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> args;
    dnnl::memory plain_weights, packed_weights;
  };

  Team& team_;
  int threads_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  Product product_;
  bool packed_ = false;
  dnnl::primitive pack_;
  std::vector<Copy> copies_;
  int64_t bytes_ = 0;
  std::string pages_;
};

}  // namespace ridge::cpu
