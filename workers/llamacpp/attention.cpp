#include <fmt/format.h>

#include <cmath>

#include "graph.h"

namespace ridge::llamacpp {
namespace {

constexpr uint16_t kMinusInfinity = 0xfc00;  // f16

// [seq_q, seq_kv]: 0 where query i sees key j, else -∞. None for a mask that hides nothing.
std::vector<uint16_t> mask_of(const Attention& a) {
  if (a.visible_pairs() == a.seq_q * a.seq_kv) return {};
  std::vector<uint16_t> mask(static_cast<size_t>(a.seq_q * a.seq_kv), kMinusInfinity);
  for (int64_t i = 0; i < a.seq_q; ++i) {
    for (int64_t j = a.first_key(i); j < a.last_key(i); ++j) {
      mask[static_cast<size_t>(i * a.seq_kv + j)] = 0;
    }
  }
  return mask;
}

struct Inputs {
  Graph graph;
  ggml_tensor *q, *k, *v, *mask;
};

Inputs inputs_of(const Attention& a, bool masked, bool v_transposed) {
  Inputs in{.graph = {.context = new_context(8, 1, 4)}};
  ggml_context* context = in.graph.context.get();
  const ggml_type type = type_of(a.dtype);
  in.q = ggml_new_tensor_4d(context, GGML_TYPE_F32, a.head_dim, a.seq_q, a.heads, a.batch);
  in.k = ggml_new_tensor_4d(context, type, a.head_dim, a.seq_kv, a.kv_heads, a.batch);
  in.v = v_transposed
             ? ggml_new_tensor_4d(context, type, a.seq_kv, a.head_dim, a.kv_heads, a.batch)
             : ggml_new_tensor_4d(context, type, a.head_dim, a.seq_kv, a.kv_heads, a.batch);
  in.mask = masked ? ggml_new_tensor_2d(context, GGML_TYPE_F16, a.seq_kv, a.seq_q) : nullptr;
  in.graph.mask = in.mask;
  const std::vector<TensorSpec> specs = tensors(a);
  in.graph.inputs = {{specs[0], in.q}, {specs[1], in.k}, {specs[2], in.v}};
  if (v_transposed) {
    in.graph.inputs[2].place = [keys = a.seq_kv, width = a.head_dim](int64_t i) {
      const int64_t d = i % width, j = i / width % keys, head = i / width / keys;
      return (head * width + d) * keys + j;
    };
  }
  return in;
}

float scale_of(const Attention& a) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(a.head_dim)));
}

Graph flash(const Attention& a, bool masked) {
  Inputs in = inputs_of(a, masked, false);
  ggml_context* context = in.graph.context.get();
  ggml_tensor* o = ggml_flash_attn_ext(context, in.q, in.k, in.v, in.mask, scale_of(a), 0, 0);
  ggml_flash_attn_ext_set_prec(o, GGML_PREC_F32);  // as llama.cpp's models do
  // It comes out as [batch, seq_q, heads, head_dim].
  const auto place = [heads = a.heads, queries = a.seq_q, width = a.head_dim](int64_t i) {
    const int64_t d = i % width, query = i / width % queries;
    const int64_t head = i / width / queries % heads, b = i / width / queries / heads;
    return ((b * queries + query) * heads + head) * width + d;
  };
  in.graph.outputs = {{tensors(a)[3], o, place}};
  in.graph.steps = {graph_to(context, o)};
  return std::move(in.graph);
}

Graph unfused(const Attention& a, bool masked) {
  Inputs in = inputs_of(a, masked, true);
  ggml_context* context = in.graph.context.get();
  ggml_tensor* scores = ggml_mul_mat(context, in.k, in.q);
  ggml_mul_mat_set_prec(scores, GGML_PREC_F32);  // as llama.cpp's models do
  ggml_tensor* weights = ggml_soft_max_ext(context, scores, in.mask, scale_of(a), 0);
  ggml_tensor* o = ggml_mul_mat(context, in.v, weights);
  in.graph.outputs = {{tensors(a)[3], o}};
  in.graph.steps = {graph_to(context, o)};
  return std::move(in.graph);
}

}  // namespace

Result<Plan> plan_attention(const Attention& a, const Settings& settings, const Place& place) {
  if (a.pass != Attention::Pass::fwd) return Error{"llama.cpp runs attention forward only"};
  if (a.dtype != DType::f32 && a.dtype != DType::f16 && a.dtype != DType::bf16) {
    return Error{fmt::format("ggml has no {} attention", name(a.dtype))};
  }
  const std::string& way = settings.backend;
  if (!way.empty() && way != "flash" && way != "unfused") {
    return Error{fmt::format("no backend '{}': ggml has flash and unfused", way)};
  }
  Plan plan{.mask = mask_of(a)};
  const bool masked = !plan.mask.empty();
  plan.build = [a, masked] { return flash(a, masked); };
  plan.backend = "flash";
  if (way == "unfused" || (way.empty() && !has_kernels(plan, place))) {
    plan.build = [a, masked] { return unfused(a, masked); };
    plan.backend = "unfused";
    plan.notes.emplace_back(
        "v lies transposed, as llama.cpp's cache keeps it without flash attention");
  }
  const bool fused = plan.backend == "flash";
  plan.kernel = fused ? "flash_attn_ext" : "mul_mat, soft_max_ext, mul_mat";
  plan.kernel += fmt::format(" {}", ggml_type_name(type_of(a.dtype)));
  if (place.on_cuda && a.dtype == DType::f32) {
    return Error{fused ? "ggml's flash attention on CUDA computes in f16: ask for dtype f16"
                       : "ggml has cuBLAS compute f32 products in TF32: ask for dtype f16"};
  }
  if (fused && place.on_cpu && a.dtype == DType::f16) {
    return Error{
        "ggml's flash attention adds up values of f16 in f16: ask for unfused, bf16 or f32"};
  }
  if (fused && place.on_cuda && a.dtype == DType::bf16) plan.executed_dtype = "f16";
  plan.notes.emplace_back(fused ? "q and o are f32, o as [batch, seq, heads, head_dim]"
                                : "q and o are f32");
  if (masked) plan.notes.emplace_back("the mask is a matrix of f16, read each time");
  return plan;
}

}  // namespace ridge::llamacpp
