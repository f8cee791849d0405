#include <ATen/SDPBackend.h>
#include <ATen/ops/_fused_sdp_choice.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>

#include "ops.h"
#include "torch_op.h"

namespace ridge::torch {
namespace {

// How PyTorch is to be asked for it.
struct Plan {
  at::SDPBackend kernel = at::SDPBackend::error;
  bool causal = false;  // PyTorch's flag, which aligns to the first key
  bool mask = false;    // a boolean mask of our own
  bool repeat = false;  // key heads repeated, for kernels that have no grouped ones
  std::string why_not;  // where kernel is error
};

std::string_view name_of(at::SDPBackend kernel) {
  switch (kernel) {
    case at::SDPBackend::math: return "math";
    case at::SDPBackend::flash_attention: return "flash";
    case at::SDPBackend::efficient_attention: return "efficient";
    case at::SDPBackend::cudnn_attention: return "cudnn";
    default: return "another";
  }
}

Switches switches_for(const Attention& a, const Settings& settings) {
  return {.tf32 = a.dtype == DType::tf32, .backend = settings.backend};
}

// PyTorch tells in warnings why a kernel will not do.
class Reasons : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override {
    std::string line = warning.msg().substr(0, warning.msg().find('\n'));
    line = line.substr(0, line.find(" (Triggered internally"));
    // "… kernel not used because:" only announces the next.
    if (!line.ends_with("because:")) said = line;
  }
  std::string said;
};

bool is_half(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

Plan plan_of(const Attention& a, const Settings& settings, const Place& place) {
  Plan plan;
  plan.causal = a.mask == Attention::Mask::causal && a.seq_q == a.seq_kv && a.seq_q > 1;
  plan.mask = !plan.causal && a.visible_pairs() < a.seq_q * a.seq_kv;
  place.use(switches_for(a, settings));
  const bool gradients = a.pass == Attention::Pass::bwd;
  const auto empty = [&](int64_t heads, int64_t rows) {
    const auto options = at::TensorOptions(scalar_type(a.dtype)).device(place.device);
    return at::empty({a.batch, heads, rows, a.head_dim}, options).requires_grad_(gradients);
  };
  std::optional<at::Tensor> mask;
  if (plan.mask) {
    mask = at::empty({a.seq_q, a.seq_kv}, at::TensorOptions(at::kBool).device(place.device));
  }
  Reasons reasons;
  const c10::WarningUtils::WarningHandlerGuard guard(&reasons);
  const auto choose = [&](int64_t kv_heads) {
    const at::Tensor k = empty(kv_heads, a.seq_kv);
    return static_cast<at::SDPBackend>(at::_fused_sdp_choice(
        empty(a.heads, a.seq_q), k, k, mask, 0.0, plan.causal, std::nullopt, kv_heads != a.heads));
  };
  const auto refused = [&] {
    return plan.kernel == at::SDPBackend::error ||
           (!settings.backend.empty() && name_of(plan.kernel) != settings.backend);
  };
  plan.kernel = choose(a.kv_heads);
  if (refused() && a.kv_heads != a.heads) {
    plan.kernel = choose(a.heads);
    plan.repeat = true;
  }
  if (refused()) {
    plan.kernel = at::SDPBackend::error;
    plan.why_not = reasons.said.empty() ? "no reason given" : reasons.said;
  }
  return plan;
}

class AttentionOp : public TorchOp {
 public:
  AttentionOp(const sdk::Task& task, const Place& place, const Attention& a, const Plan& plan)
      : TorchOp(task, place,
                {.gives_outputs = true,
                 .gradients = a.pass == Attention::Pass::bwd,
                 .switches = switches_for(a, task.settings)}),
        a_(a),
        plan_(plan) {
    if (plan.mask) mask_ = make_mask();
    copies_.resize(static_cast<size_t>(task.copies));
    const bool backward = a.pass == Attention::Pass::bwd;
    kernel_ = fmt::format("scaled_dot_product_attention: {}{}", name_of(plan.kernel),
                          backward ? ", by autograd" : "");
    if (backward) {
      for (size_t i = 0; i < 3; ++i)
        grads_[i] = index_of(std::array{"grad_q", "grad_k", "grad_v"}[i]);
      notes_.emplace_back("forward pass: made before the clock starts, its graph kept");
    } else {
      o_ = index_of("o");
    }
    if (a.kv_heads != a.heads) {
      notes_.emplace_back(plan.repeat ? "key heads: repeated within the timed region, as this "
                                        "kernel has no grouped ones"
                                      : "key heads: grouped (enable_gqa)");
    }
    if (plan.mask) {
      notes_.emplace_back(a.mask == Attention::Mask::window
                              ? "window: by a boolean mask"
                              : "causal to the last key: by a boolean mask, as PyTorch's is_causal "
                                "aligns to the first");
    }
    if (plan.kernel == at::SDPBackend::math && is_half(a.dtype)) {
      executed_dtype_ = "f32";
      notes_.push_back(fmt::format("math computes {} in f32", name(a.dtype)));
    }
  }

 protected:
  void filled(int64_t index) override {
    if (a_.pass == Attention::Pass::fwd) return;
    Copy& copy = copies_[static_cast<size_t>(index)];
    copy = {};  // frees the old graph before the new one is made
    for (size_t i = 0; i < 3; ++i) {
      const char* const name = std::array{"q", "k", "v"}[i];
      copy.inputs.push_back(tensor(name, index).detach().requires_grad_(true));
    }
    copy.o = forward(copy.inputs[0], copy.inputs[1], copy.inputs[2]);
  }

  void compute(int64_t index) override {
    if (a_.pass == Attention::Pass::fwd) {
      return give(o_, index, forward(tensor("q", index), tensor("k", index), tensor("v", index)));
    }
    Copy& copy = copies_[static_cast<size_t>(index)];
    auto grads = ::torch::autograd::grad({copy.o}, copy.inputs, {tensor("grad_o", index)},
                                         /*retain_graph=*/true);
    for (size_t i = 0; i < 3; ++i) give(grads_[i], index, grads[i]);
  }

 private:
  struct Copy {
    std::vector<at::Tensor> inputs;
    at::Tensor o;
  };

  at::Tensor forward(const at::Tensor& q, at::Tensor k, at::Tensor v) const {
    if (plan_.repeat) {
      k = k.repeat_interleave(a_.group(), 1);
      v = v.repeat_interleave(a_.group(), 1);
    }
    const bool grouped = a_.kv_heads != a_.heads && !plan_.repeat;
    return at::scaled_dot_product_attention(q, k, v, mask_, 0.0, plan_.causal, std::nullopt,
                                            grouped);
  }

  // True where a query sees a key.
  at::Tensor make_mask() const {
    const at::Tensor made = at::empty({a_.seq_q, a_.seq_kv}, at::TensorOptions(at::kBool));
    bool* row = made.data_ptr<bool>();
    for (int64_t i = 0; i < a_.seq_q; ++i, row += a_.seq_kv) {
      std::fill(row, row + a_.seq_kv, false);
      std::fill(row + a_.first_key(i), row + a_.last_key(i), true);
    }
    return made.to(place().device);
  }

  Attention a_;
  Plan plan_;
  std::optional<at::Tensor> mask_;
  std::vector<Copy> copies_;
  size_t o_ = 0;
  std::array<size_t, 3> grads_{};
};

}  // namespace

Result<void> can(const Attention& a, const Settings& settings, const Place& place) try {
  if (settings.form == Form::packed) return Error{"attention has no packed form"};
  const bool backward = a.pass == Attention::Pass::bwd;
  if (backward && settings.graph) {
    return Error{"graph: the backward pass is timed eagerly, from a forward pass kept by autograd"};
  }
  const std::string& backend = settings.backend;
  const bool known = backend.empty() || backend == "flash" || backend == "math" ||
                     (place.on_cuda() && (backend == "efficient" || backend == "cudnn"));
  if (!known) {
    return Error{
        fmt::format("no backend '{}': PyTorch has {} on {}", backend,
                    place.on_cuda() ? "flash, efficient, cudnn and math" : "flash and math",
                    place.device.str())};
  }
  if (a.dtype == DType::tf32 && !place.on_cuda()) {
    return Error{fmt::format("PyTorch has no tf32 on {}", place.device.str())};
  }
  const Plan plan = plan_of(a, settings, place);
  if (plan.kernel == at::SDPBackend::error) {
    return Error{fmt::format("PyTorch's {} attention refuses: {}",
                             backend.empty() ? "scaled_dot_product" : backend, plan.why_not)};
  }
  if (a.dtype == DType::tf32 && plan.kernel != at::SDPBackend::math) {
    return Error{fmt::format("PyTorch's {} attention does not heed the TF32 switch: only math does",
                             name_of(plan.kernel))};
  }
  return {};
} catch (const c10::OutOfMemoryError&) {
  return Error{"its tensors do not fit into the device's memory"};
} catch (const c10::Error& error) {
  const std::string what = error.what_without_backtrace();
  return Error{"PyTorch refuses: " + what.substr(0, what.find('\n'))};
}

std::unique_ptr<TorchOp> make_attention(const sdk::Task& task, const Place& place) {
  const auto& attention = std::get<Attention>(task.work);
  return std::make_unique<AttentionOp>(task, place, attention,
                                       plan_of(attention, task.settings, place));
}

}  // namespace ridge::torch
