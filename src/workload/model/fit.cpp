#include "workload/model/fit.h"

#include <algorithm>
#include <cmath>

#include "workload/model/weights.h"

namespace ridge {
namespace {

constexpr int64_t kContextStep = 256;  // llama.cpp's caches are a multiple of it
constexpr double kFloat = 4, kHalf = 2;
constexpr double kIds = 28;  // of a token: its number, position, places in the cache and output

// Doubles, which hold all bytes there are exactly; what a hostile configuration asks for beyond
// that is an exbibyte.
int64_t bytes(double value) { return static_cast<int64_t>(std::fmin(value, 0x1p60)); }

// Elements that a layer's feed-forward holds of a token: gate, up and their product at a time.
double feed_forward(const ModelConfig& m) {
  double most = 0;
  for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
    const int64_t experts =
        m.is_moe() ? std::max(*m.num_experts_per_tok, m.n_shared_experts.value_or(0)) : 0;
    const double width = m.layer_is_dense(layer)
                             ? static_cast<double>(m.intermediate_size)
                             : static_cast<double>(m.expert_width()) * static_cast<double>(experts);
    most = std::fmax(most, width);
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
    const WeightBytes weights = weight_bytes(m, use.format);
    out.weights = weights.all();
    out.gathered = weights.embedding;
  }
  const auto held = static_cast<double>((context + kContextStep - 1) / kContextStep * kContextStep);
  const auto batch = static_cast<double>(use.batch);
  out.kv = bytes(batch * held * static_cast<double>(kv_bytes_per_token(m, use.kv)));

  const double tokens = std::fmin(static_cast<double>(micro_batch), batch * held);
  const double state = tokens * static_cast<double>(m.hidden_size) * kFloat;
  const double mask = tokens * held * kHalf, ids = tokens * kIds;
  const double inputs = state + mask + ids;
  // Beside a layer's widest step stand what it adds to and what was normed for it, which in a
  // mixture stays until the experts are done. In the last layer rows with logits are gathered
  // besides, and of the three wide tensors those that fit take the place of the mask.
  const double attention = tokens * 2 * static_cast<double>(m.q_width() + m.kv_width()) * kFloat;
  const double wide = tokens * feed_forward(m) * kFloat;
  const double in_mask = std::fmin(std::floor(mask / (wide / 3)), 2) * (wide / 3);
  const double before = (m.is_moe() ? 3 : 2) * state + std::fmax(attention, wide);
  const double last = 3 * state + wide - in_mask;
  const double activations = m.num_hidden_layers == 1 ? last : std::fmax(before, last);
  const double logits = tokens * static_cast<double>(m.vocab_size) * kFloat;
  out.inputs = bytes(inputs);
  out.activations = bytes(activations);
  out.logits = bytes(logits);
  // Logits come when neither mask nor activations are needed but the embedded tokens and the state.
  out.working = bytes(std::fmax(inputs + activations, 2 * state + ids + logits));
  out.outputs = bytes(batch * static_cast<double>(m.vocab_size) * kFloat);
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
