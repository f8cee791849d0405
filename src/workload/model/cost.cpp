#include "workload/model/cost.h"

#include <cmath>

namespace ridge {
namespace {

// Bytes of an element, block scales included.
double bytes_per_element(ModelFormat format) {
  switch (format) {
    case ModelFormat::f32: return 4;
    case ModelFormat::f16:
    case ModelFormat::bf16: return 2;
    case ModelFormat::q8_0: return 34.0 / 32;
    case ModelFormat::q4_0: return 18.0 / 32;
    case ModelFormat::q4_k_m: return 144.0 / 256;
    case ModelFormat::q6_k: break;
  }
  return 210.0 / 256;
}
double bytes_per_element(KvFormat format) {
  return format == KvFormat::f32 ? 4 : format == KvFormat::q8_0 ? 34.0 / 32 : 2;
}

struct Elements {
  double passed = 0;   // of matrices that a token is multiplied with, but those below
  double experts = 0;  // of all routed experts
  double chosen = 0;   // of those that a token is sent to
  double output = 0;
};

Elements elements_of(const ModelConfig& m) {
  const auto h = static_cast<double>(m.hidden_size);
  Elements all;
  all.output = h * static_cast<double>(m.vocab_size);
  for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
    all.passed += h * static_cast<double>(2 * m.q_width() + 2 * m.kv_width());
    if (m.layer_is_dense(layer)) {
      all.passed += 3 * h * static_cast<double>(m.intermediate_size);
      continue;
    }
    const double expert = 3 * h * static_cast<double>(m.expert_width());
    const auto experts = static_cast<double>(*m.num_experts);
    all.passed += h * experts + expert * static_cast<double>(m.n_shared_experts.value_or(0));
    all.experts += expert * experts;
    all.chosen += expert * static_cast<double>(*m.num_experts_per_tok);
  }
  return all;
}

// Of E experts, k of which each of B tokens chooses: the share that is chosen at all.
double share_touched(const ModelConfig& m, double tokens) {
  if (!m.is_moe()) return 0;
  const double k =
      static_cast<double>(*m.num_experts_per_tok) / static_cast<double>(*m.num_experts);
  return 1 - std::pow(1 - k, tokens);
}

// (query, key) pairs of queries at positions [first, first + count).
double visible_pairs(const ModelConfig& m, int64_t first, int64_t count) {
  const double window = static_cast<double>(m.sliding_window.value_or(INT64_MAX));
  double pairs = 0;
  for (int64_t i = first; i < first + count; ++i) {
    pairs += std::fmin(static_cast<double>(i + 1), window);
  }
  return pairs;
}

// One pass of `tokens` new tokens of each sequence, at positions from `first` on.
Cost pass(const ModelUse& use, int64_t first, int64_t tokens, int64_t outputs) {
  const ModelConfig& m = use.model;
  const Elements all = elements_of(m);
  const auto batch = static_cast<double>(use.batch), t = static_cast<double>(tokens);
  const double per_element = bytes_per_element(use.format);
  const double pairs = visible_pairs(m, first, tokens);
  const auto layers = static_cast<double>(m.num_hidden_layers);
  Cost cost;
  cost.model_flops = 2 * batch * t * (all.passed + all.chosen) +
                     2 * batch * static_cast<double>(outputs) * all.output +
                     4 * batch * pairs * static_cast<double>(m.q_width()) * layers;
  const double weights =
      use.file
          ? static_cast<double>(use.file->matrix_bytes) +
                static_cast<double>(use.file->expert_bytes) * share_touched(m, batch * t)
          : (all.passed + all.output + all.experts * share_touched(m, batch * t)) * per_element;
  const double rows = batch * t * static_cast<double>(m.hidden_size) * per_element;
  const double kv_token =
      2 * layers * static_cast<double>(m.kv_width()) * bytes_per_element(use.kv);
  const double held = std::fmin(static_cast<double>(first + tokens),
                                static_cast<double>(m.sliding_window.value_or(INT64_MAX)) + t - 1);
  cost.bytes_read = weights + rows + batch * held * kv_token;
  cost.bytes_written = batch * t * kv_token +
                       4 * batch * static_cast<double>(outputs) * static_cast<double>(m.vocab_size);
  return cost;
}

double footprint(const ModelUse& use, int64_t context) {
  const Elements all = elements_of(use.model);
  const double embedding = use.model.tie_word_embeddings ? 0 : all.output;
  const double weights =
      use.file
          ? static_cast<double>(use.file->matrix_bytes + use.file->embedding_bytes +
                                use.file->expert_bytes)
          : (all.passed + all.output + embedding + all.experts) * bytes_per_element(use.format);
  return weights + static_cast<double>(use.batch * context) * 2 *
                       static_cast<double>(use.model.num_hidden_layers * use.model.kv_width()) *
                       bytes_per_element(use.kv);
}

void finish(const ModelUse& use, int64_t tokens, Cost& cost) {
  cost.executed_flops = cost.model_flops;
  cost.count = static_cast<double>(use.batch * tokens);
  cost.footprint = footprint(use, use.depth + tokens);
  cost.rate_unit = RateUnit::token_per_s;
}

}  // namespace

Cost prefill_cost(const ModelUse& use, int64_t tokens, int64_t outputs) {
  Cost cost = pass(use, use.depth, tokens, outputs);
  finish(use, tokens, cost);
  return cost;
}

Cost decode_cost(const ModelUse& use, int64_t tokens) {
  Cost cost;
  for (int64_t i = 0; i < tokens; ++i) {
    const Cost one = pass(use, use.depth + i, 1, 1);
    cost.model_flops += one.model_flops;
    cost.bytes_read += one.bytes_read;
    cost.bytes_written += one.bytes_written;
  }
  finish(use, tokens, cost);
  return cost;
}

}  // namespace ridge
