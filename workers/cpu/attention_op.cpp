#include "attention_op.h"

#include <fmt/format.h>
#include <omp.h>

#include <array>
#include <cmath>
#include <set>
#include <span>
#include <stdexcept>
#include <string_view>

#include "attention_kernels.h"
#include "product.h"

namespace ridge::cpu {
namespace {

using Memory = dnnl::memory;

constexpr AttentionProduct kForward[] = {{"q", "k", "p", false, true},
                                         {"p", "v", "o", false, false}};
constexpr AttentionProduct kBackward[] = {{"q", "k", "p", false, true},
                                          {"p", "grad_o", "grad_v", true, false},
                                          {"grad_o", "v", "grad_p", false, true},
                                          {"grad_p", "k", "grad_q", false, false},
                                          {"grad_p", "q", "grad_k", true, false}};

std::span<const AttentionProduct> products(const Attention& a) {
  if (a.pass == Attention::Pass::bwd) return kBackward;
  return kForward;
}

Memory::data_type type_of(DType dtype) {
  switch (dtype) {
    case DType::bf16: return Memory::data_type::bf16;
    case DType::f16: return Memory::data_type::f16;
    default: return Memory::data_type::f32;
  }
}

// A tensor as a batch of matrices, or of transposed ones.
Memory::desc matrices(const Attention& a, std::string_view name, bool turned) {
  const bool of_scores = name == "p" || name == "grad_p";
  const bool of_keys = name == "k" || name == "v" || name == "grad_k" || name == "grad_v";
  int64_t rows = of_keys ? a.seq_kv : a.group() * a.seq_q;
  int64_t columns = of_scores ? a.seq_kv : a.head_dim;
  if (turned) std::swap(rows, columns);
  return {{a.batch * a.kv_heads, rows, columns},
          type_of(a.dtype),
          turned ? Memory::format_tag::acb : Memory::format_tag::abc};
}

onednn::Built build(const dnnl::engine& engine, const Attention& a, const AttentionProduct& p) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return onednn::matmul(engine, matrices(a, p.a, p.a_turned), matrices(a, p.b, p.b_turned),
                        matrices(a, p.c, false), attributes);
}

}  // namespace

int64_t score_matrix_bytes(const Attention& a) {
  return a.batch * a.heads * a.seq_q * a.seq_kv * bytes_of(a.dtype);
}

Result<void> can_multiply(const dnnl::engine& engine, const Attention& a) try {
  for (const AttentionProduct& product : products(a)) build(engine, a, product);
  return {};
} catch (const dnnl::error& error) {
  return Error{fmt::format("oneDNN {} has no {} products of batches for this processor ({}; {})",
                           onednn_version(), name(a.dtype), onednn_isa(), error.message)};
}

AttentionOp::AttentionOp(const sdk::Task& task, sdk::Arena& arena, Team& team,
                         const dnnl::engine& engine)
    : HostOp(task, arena, team.filler(team.threads_for(task.settings.threads))),
      work_(std::get<Attention>(task.work)),
      team_(team),
      threads_(team.threads_for(task.settings.threads)),
      engine_(engine),
      stream_(engine) {
  team_.use(threads_);
  const bool backward = work_.pass == Attention::Pass::bwd;
  const int64_t before = arena.used(), matrix = score_matrix_bytes(work_);
  for (int64_t copy = 0; copy < task.copies; ++copy) {
    const bool own = backward || copy == 0;
    matrices_.push_back(own ? arena.allocate(matrix) : matrices_[0]);
  }
  if (backward) grad_p_ = arena.allocate(matrix);
  room_.resize(static_cast<size_t>(threads_ * work_.seq_kv));
  for (const AttentionProduct& product : products(work_)) steps_.push_back(step(product));
  bytes_ = bytes_held() + arena.used() - before;
}

void* AttentionOp::array(const char* name, int64_t copy) const {
  if (name == std::string_view("p")) return matrices_[static_cast<size_t>(copy)];
  if (name == std::string_view("grad_p")) return grad_p_;
  return data(name, copy);
}

AttentionOp::Step AttentionOp::step(const AttentionProduct& product) try {
  Step step{build(engine_, work_, product), {}};
  const auto scratch_bytes = static_cast<int64_t>(step.built.scratchpad.get_size());
  const Memory scratchpad(step.built.scratchpad, engine_,
                          scratch_bytes > 0 ? arena().allocate(scratch_bytes) : nullptr);
  for (int64_t copy = 0; copy < task().copies; ++copy) {
    Call call;
    const auto take = [&](const char* name, bool turned) {
      return Memory(matrices(work_, name, turned), engine_, array(name, copy));
    };
    call.memories = {take(product.a, product.a_turned), take(product.b, product.b_turned),
                     take(product.c, false), scratchpad};
    constexpr int kNames[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    for (size_t i = 0; i < call.memories.size(); ++i) {
      call.args.push_back({kNames[i], call.memories[i].get()});
    }
    step.calls.push_back(std::move(call));
  }
  return step;
} catch (const dnnl::error& error) {
  throw std::runtime_error(error.message);
}

void AttentionOp::multiply(const Step& step, int64_t copy) {
  const auto& args = step.calls[static_cast<size_t>(copy)].args;
  if (dnnl_primitive_execute(step.built.primitive.get(), stream_.get(),
                             static_cast<int>(args.size()), args.data()) != dnnl_success) {
    throw std::runtime_error("oneDNN could not execute a product of the attention");
  }
  stream_.wait();  // what follows may be our own loop
}

void AttentionOp::softmax(int64_t copy) {
  const int64_t rows = work_.batch * work_.heads * work_.seq_q,
                row_bytes = work_.seq_kv * bytes_of(work_.dtype);
  auto* p = static_cast<std::byte*>(array("p", copy));
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(work_.head_dim)));
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 16)
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t i = row % work_.seq_q;
    softmax_row(work_.dtype, p + row * row_bytes, work_.first_key(i), work_.last_key(i),
                work_.seq_kv, scale,
                &room_[static_cast<size_t>(omp_get_thread_num() * work_.seq_kv)]);
  }
}

void AttentionOp::softmax_gradient(int64_t copy) {
  const int64_t rows = work_.batch * work_.heads * work_.seq_q,
                row_bytes = work_.seq_kv * bytes_of(work_.dtype);
  const auto* p = static_cast<const std::byte*>(array("p", copy));
  auto* grad = static_cast<std::byte*>(grad_p_);
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(work_.head_dim)));
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 16)
  for (int64_t row = 0; row < rows; ++row) {
    softmax_gradient_row(work_.dtype, p + row * row_bytes, grad + row * row_bytes, work_.seq_kv,
                         scale);
  }
}

void AttentionOp::filled(int64_t copy) {
  if (work_.pass == Attention::Pass::fwd) return;
  team_.use(threads_);
  multiply(steps_[0], copy);
  softmax(copy);
}

void AttentionOp::run(int64_t copy) {
  team_.use(threads_);
  if (work_.pass == Attention::Pass::fwd) {
    multiply(steps_[0], copy);
    softmax(copy);
    multiply(steps_[1], copy);
    return;
  }
  multiply(steps_[1], copy);
  multiply(steps_[2], copy);
  softmax_gradient(copy);
  multiply(steps_[3], copy);
  multiply(steps_[4], copy);
}

sdk::OpInfo AttentionOp::info() const {
  std::set<std::string> used;
  for (const Step& step : steps_) used.insert(step.built.implementation);
  sdk::OpInfo info{.kernel = fmt::format("unfused, matmul {}", fmt::join(used, ", ")),
                   .bytes_held = bytes_,
                   .backend = "unfused"};
  info.notes.push_back(fmt::format("unfused: the score matrix of {:.1f} MiB goes through memory",
                                   static_cast<double>(score_matrix_bytes(work_)) / 0x1p20));
  for (const std::string& name : used) {
    if (name.find("ref") != std::string::npos) {
      info.notes.emplace_back("oneDNN's reference code: correct, but slow");
    }
  }
  return info;
}

}  // namespace ridge::cpu
