#include "torch_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

namespace ridge::bench {

std::function<void()> torch_attention(const Attention& work, void* q, void* k, void* v,
                                      int threads) {
  at::set_num_threads(threads);
  const auto type = work.dtype == DType::f32 ? at::kFloat : at::kBFloat16;
  const auto tensor = [&](void* at, int64_t heads, int64_t rows) {
    return at::from_blob(at, {work.batch, heads, rows, work.head_dim}, type);
  };
  return [query = tensor(q, work.heads, work.seq_q), key = tensor(k, work.kv_heads, work.seq_kv),
          value = tensor(v, work.kv_heads, work.seq_kv),
          causal = work.mask == Attention::Mask::causal] {
    const c10::InferenceMode inference;
    at::scaled_dot_product_attention(query, key, value, {}, 0.0, causal);
  };
}

}  // namespace ridge::bench
