#include "workload/model/cost.h"

#include <algorithm>
#include <cmath>

#include "workload/model/weights.h"

namespace ridge {
namespace {

using Role = WeightTensor::Role;

// Elements or bytes of weights, by who needs them.
struct Parts {
  double body = 0;          // passed by every token
  double body_experts = 0;  // all routed ones
  double last = 0;          // of the last layer, but what its keys and values need
  double last_queries = 0;  // of that, the query's and the output's matrix of attention
  double last_experts = 0;
  double output = 0;
  double embedding_row = 0;  // 0 where the output is the same matrix
};

// `size` of each tensor, summed.
template <class Size>
Parts parts_of(const ModelConfig& m, ModelFormat format, bool with_norms, Size size) {
  Parts sum;
  for (const WeightTensor& t : weights(m, format)) {
    if (t.role == Role::norm && !with_norms) continue;
    const double amount = size(t);
    const bool last = t.layer == m.num_hidden_layers - 1 && !t.caches;
    if (t.role == Role::embedding) {
      if (m.tie_word_embeddings) {
        sum.output += amount;
      } else {
        sum.embedding_row = amount / static_cast<double>(m.vocab_size);
      }
    } else if (t.role == Role::expert) {
      (last ? sum.last_experts : sum.body_experts) += amount;
    } else if (t.layer < 0) {
      sum.output += amount;
    } else {
      (last ? sum.last : sum.body) += amount;
      const bool queries =
          t.name.ends_with("attn_q.weight") || t.name.ends_with("attn_output.weight");
      if (last && queries) sum.last_queries += amount;
    }
  }
  return sum;
}

Parts elements_of(const ModelConfig& m) {
  return parts_of(m, ModelFormat::f32, false,
                  [](const WeightTensor& t) { return static_cast<double>(t.elements()); });
}

// Of a file only sums are known: they are shared out as the elements are.
Parts bytes_of(const ModelUse& use) {
  const auto bytes = [](const WeightTensor& t) { return static_cast<double>(t.bytes()); };
  if (!use.file) return parts_of(use.model, use.format, true, bytes);
  Parts p = parts_of(use.model, ModelFormat::f16, true, bytes);
  const double matrices =
      static_cast<double>(use.file->matrix_bytes) / (p.body + p.last + p.output);
  for (double* part : {&p.body, &p.last, &p.last_queries, &p.output}) *part *= matrices;
  if (const double experts = p.body_experts + p.last_experts; experts > 0) {
    const double ratio = static_cast<double>(use.file->expert_bytes) / experts;
    p.body_experts *= ratio;
    p.last_experts *= ratio;
  }
  p.embedding_row =
      static_cast<double>(use.file->embedding_bytes) / static_cast<double>(use.model.vocab_size);
  return p;
}

// Of `all` things, `chosen` of which each of `tokens` takes at random: the share taken at all.
double share_touched(double all, double chosen, double tokens) {
  if (tokens == 0) return 0;
  return -std::expm1(tokens * std::log1p(-chosen / all));
}
double share_of_experts(const ModelConfig& m, double tokens) {
  if (!m.is_moe()) return 0;
  return share_touched(static_cast<double>(*m.num_experts),
                       static_cast<double>(*m.num_experts_per_tok), tokens);
}

// The sum of min(first + i·step, most) over i in [0, count).
double sum_of_least(double first, double step, double count, double most) {
  const double below = first > most ? 0 : std::fmin(count, std::floor((most - first) / step) + 1);
  return below * first + step * below * (below - 1) / 2 + (count - below) * most;
}

double window(const ModelConfig& m) {
  return m.sliding_window ? static_cast<double>(*m.sliding_window) : 0x1p62;
}
// (query, key) pairs of one sequence's queries at positions [first, first + count).
double visible_pairs(const ModelConfig& m, double first, double count) {
  return count < 1 ? 0 : sum_of_least(first + 1, 1, count, window(m));
}

struct Flops {
  double model = 0, executed = 0;
};

// Of one sequence: `tokens` at positions from `first` on, the last `outputs` of them with logits.
Flops flops_of(const ModelConfig& m, double first, double tokens, double outputs) {
  const Parts p = elements_of(m);
  const double chosen =
      m.is_moe() ? static_cast<double>(*m.num_experts_per_tok) / static_cast<double>(*m.num_experts)
                 : 0;
  const double pair =
      4 * static_cast<double>(m.q_width());  // a product with a key, one with a value
  const double layers = static_cast<double>(m.num_hidden_layers);
  const double pairs = visible_pairs(m, first, tokens);
  const double output_pairs = visible_pairs(m, first + tokens - outputs, outputs);
  Flops flops;
  flops.model = 2 * tokens * (p.body + chosen * p.body_experts) +
                2 * outputs * (p.last + chosen * p.last_experts + p.output) +
                pair * ((layers - 1) * pairs + output_pairs);
  flops.executed =
      flops.model + 2 * (tokens - outputs) * p.last_queries + pair * (pairs - output_pairs);
  return flops;
}

// Bytes of weights read in `passes` of `tokens` each, `outputs` of these with logits.
double weights_read(const ModelConfig& m, const Parts& p, double passes, double tokens,
                    double output_passes, double outputs) {
  if (passes == 0) return 0;
  const double rows = p.embedding_row * static_cast<double>(m.vocab_size) *
                      share_touched(static_cast<double>(m.vocab_size), 1, tokens);
  return passes * (p.body + p.body_experts * share_of_experts(m, tokens) + rows) +
         output_passes * (p.last + p.output + p.last_experts * share_of_experts(m, outputs));
}

double kv_token(const ModelUse& use) {
  return static_cast<double>(kv_bytes_per_token(use.model, use.kv));
}

void finish(const ModelUse& use, double tokens, double outputs, Cost& cost) {
  const auto batch = static_cast<double>(use.batch);
  const auto weights = static_cast<double>(weight_bytes_of(use));
  cost.bytes_written =
      batch * (tokens * kv_token(use) + 4 * outputs * static_cast<double>(use.model.vocab_size));
  cost.count = batch * tokens;
  cost.footprint = weights + batch * (static_cast<double>(use.depth) + tokens) * kv_token(use);
  cost.rate_unit = RateUnit::token_per_s;
}

}  // namespace

Cost prefill_cost(const ModelUse& use, int64_t tokens, int64_t outputs, int64_t micro_batch) {
  const ModelConfig& m = use.model;
  const Parts p = bytes_of(use);
  const auto batch = static_cast<double>(use.batch), depth = static_cast<double>(use.depth);
  const auto t = static_cast<double>(tokens), o = static_cast<double>(outputs);
  const auto micro = static_cast<double>(micro_batch);
  const Flops flops = flops_of(m, depth, t, o);
  // The sequences lie one after another; full passes, and what is left over.
  const double full = std::floor(batch * t / micro), rest = batch * t - full * micro;
  const double passes = full + (rest > 0 ? 1 : 0);
  const double output_passes = std::fmin(batch * std::ceil(o / micro), passes);
  const double output_rest = rest > 0 ? 1 : 0;  // the last pass ends with a sequence
  const double per_pass = outputs == tokens ? micro : batch * o / output_passes;
  Cost cost;
  cost.model_flops = batch * flops.model;
  cost.executed_flops = batch * flops.executed;
  cost.bytes_read =
      weights_read(m, p, full, micro, output_passes - output_rest, per_pass) +
      weights_read(m, p, output_rest, rest, output_rest, std::fmin(per_pass, rest)) +
      batch * kv_token(use) * sum_of_least(depth, micro, std::ceil(t / micro), window(m) - 1);
  finish(use, t, o, cost);
  return cost;
}

Cost decode_cost(const ModelUse& use, int64_t tokens, int64_t micro_batch) {
  const ModelConfig& m = use.model;
  const Parts p = bytes_of(use);
  const auto batch = static_cast<double>(use.batch), depth = static_cast<double>(use.depth);
  const auto t = static_cast<double>(tokens), micro = static_cast<double>(micro_batch);
  const double full = std::floor(batch / micro), rest = batch - full * micro;
  const double rests = rest > 0 ? 1 : 0;
  Cost cost;
  cost.model_flops = batch * flops_of(m, depth, t, t).model;
  cost.executed_flops = cost.model_flops;
  cost.bytes_read = t * (weights_read(m, p, full, micro, full, micro) +
                         weights_read(m, p, rests, rest, rests, rest)) +
                    batch * kv_token(use) * sum_of_least(depth, 1, t, window(m) - 1);
  finish(use, t, t, cost);
  return cost;
}

}  // namespace ridge
