#pragma once

#include <dnnl.hpp>
#include <vector>

#include "onednn.h"
#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// A convstack on oneDNN's convolutions: channels last, two buffers taken in turn between x and y.
class ConvOp : public sdk::HostOp {
 public:
  // Throws dnnl::error where the library has no such convolution.
  ConvOp(const sdk::Task& task, sdk::Arena& arena, Team& team, const dnnl::engine& engine);

  void run(int64_t copy) override;
  void wait() override { stream_.wait(); }
  sdk::OpInfo info() const override;

 protected:
  void filled(int64_t copy) override;

 private:
  // The handles in `args` belong to `memories`.
  struct Layer {
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> args;
    dnnl::memory plain_weights, weights;
  };

  Team& team_;
  int threads_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  onednn::Built convolution_;
  bool packed_ = false;
  dnnl::primitive pack_;
  std::vector<std::vector<Layer>> copies_;
  int64_t bytes_ = 0;
};

// Tries whether oneDNN has it, and with what: an error otherwise.
Result<onednn::Built> make_convolution(const dnnl::engine& engine, const ConvStack& stack,
                                       Form form);

}  // namespace ridge::cpu
