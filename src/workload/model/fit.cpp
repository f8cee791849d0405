#include "workload/model/fit.h"

#include <algorithm>

#include "workload/model/weights.h"

namespace ridge {
namespace {

constexpr int64_t kContextStep = 256;  // llama.cpp's caches are a multiple of it
constexpr int64_t kFloat = 4, kHalf = 2;
constexpr int64_t kIds = 28;  // of a token: its number, position, places in the cache and output

int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// Elements that a layer's feed-forward holds of a token: gate, up and their product at a time.
int64_t feed_forward(const ModelConfig& m) {
  int64_t most = 0;
  for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
    const int64_t width =
        m.layer_is_dense(layer)
            ? m.intermediate_size
            : m.expert_width() * std::max(*m.num_experts_per_tok, m.n_shared_experts.value_or(0));
    most = std::max(most, width);
  }
  return 3 * most;
}

}  // namespace

Holding holding(const ModelUse& use, int64_t context, int64_t micro_batch) {
  const ModelConfig& m = use.model;
  Holding out;
  if (use.file) {
    out.weights = use.file->matrix_bytes + use.file->embedding_bytes + use.file->expert_bytes;
    out.gathered = use.file->embedding_bytes;
  } else {
    const WeightBytes bytes = weight_bytes(m, use.format);
    out.weights = bytes.all();
    out.gathered = bytes.embedding;
  }
  const int64_t held = round_up(context, kContextStep);
  out.kv = use.batch * held * kv_bytes_per_token(m, use.kv);

  const int64_t tokens = std::min(micro_batch, use.batch * held);
  const int64_t state = tokens * m.hidden_size * kFloat;
  const int64_t mask = tokens * held * kHalf;
  out.inputs = state + mask + tokens * kIds;
  // Beside a layer's widest step: what it adds to, and what was normed for it. In a mixture that
  // stays until the experts are done; in the last layer rows with logits are gathered, and the mask
  // is no longer needed.
  const int64_t attention = tokens * 2 * (m.q_width() + m.kv_width()) * kFloat;
  const int64_t wide = tokens * feed_forward(m) * kFloat;
  const int64_t in_mask = wide == 0 ? 0 : std::min<int64_t>(mask / (wide / 3), 2) * (wide / 3);
  const int64_t before = (m.is_moe() ? 3 : 2) * state + std::max(attention, wide);
  const int64_t last = 3 * state + wide - in_mask;
  out.activations = m.num_hidden_layers == 1 ? last : std::max(before, last);
  out.logits = tokens * m.vocab_size * kFloat;
  // The logits come when the mask is not needed any more, nor are activations but the last state.
  out.working = std::max(out.inputs + out.activations, 2 * state + tokens * kIds + out.logits);
  out.outputs = use.batch * m.vocab_size * kFloat;
  return out;
}

int64_t longest_context(const ModelUse& use, int64_t micro_batch, int64_t bytes, bool on_gpu) {
  const auto fits = [&](int64_t context) {
    const Holding held = holding(use, context, micro_batch);
    return (on_gpu ? held.on_gpu() : held.total()) <= bytes;
  };
  const int64_t most = use.model.max_position_embeddings;
  if (fits(most)) return most;
  int64_t low = 0, high = (most + kContextStep - 1) / kContextStep;  // steps; high does not fit
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (fits(middle * kContextStep) ? low : high) = middle;
  }
  return low * kContextStep;
}

}  // namespace ridge
