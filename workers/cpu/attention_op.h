#pragma once

#include <dnnl.hpp>
#include <string>
#include <vector>

#include "onednn.h"
#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// One of the products that attention is made of: c = a·b, a batch of one a (batch, key head).
// Query heads that share a key head lie one below the other.
struct AttentionProduct {
  const char *a, *b, *c;    // tensors; "p": the probabilities, "grad_p": their gradients
  bool a_turned, b_turned;  // transposed
};

// Unfused attention: the score matrix of all heads goes through memory. oneDNN multiplies (sums in
// f32, the matrix stored in the dtype), our own loops make the softmax.
//   forward:  p = q kᵀ, softmax, o = p v
//   backward: grad_v = pᵀ grad_o, grad_p = grad_o vᵀ, its softmax, grad_q = grad_p k,
//             grad_k = grad_pᵀ q; p stays from a forward pass that is not timed
class AttentionOp : public sdk::HostOp {
 public:
  // Throws std::runtime_error where can_multiply gives an error.
  AttentionOp(const sdk::Task& task, sdk::Arena& arena, Team& team, const dnnl::engine& engine);

  void run(int64_t copy) override;
  void wait() override { stream_.wait(); }
  sdk::OpInfo info() const override;

 protected:
  void filled(int64_t copy) override;

 private:
  // The handles in `args` belong to `memories`.
  struct Call {
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> args;
  };
  struct Step {
    onednn::Built built;
    std::vector<Call> calls;  // of each copy
  };

  Step step(const AttentionProduct& product);
  void* array(const char* name, int64_t copy) const;
  void multiply(const Step& step, int64_t copy);
  void softmax(int64_t copy);
  void softmax_gradient(int64_t copy);

  Attention work_;
  Team& team_;
  int threads_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<void*> matrices_;  // p of each copy, backward; of all, forward
  void* grad_p_ = nullptr;
  std::vector<float> room_;  // a row for each thread
  std::vector<Step> steps_;  // in the order of the comment above
  int64_t bytes_ = 0;
};

// Whether oneDNN has all products of an attention: an error otherwise, one line for a person.
Result<void> can_multiply(const dnnl::engine& engine, const Attention& attention);

// Bytes of the score matrix.
int64_t score_matrix_bytes(const Attention& attention);

}  // namespace ridge::cpu
