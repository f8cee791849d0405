#include "workload/model/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "workload/model/rounding.h"

namespace ridge {
namespace {

constexpr size_t kLanes = 8;  // of a sum, as processors have

double dot(const double* a, const double* b, size_t count) {
  double sums[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < count; ++i) sums[i % kLanes] += a[i] * b[i];
  double sum = 0;
  for (const double lane : sums) sum += lane;
  return sum;
}

double silu(double x) { return x / (1 + std::exp(-x)); }

void softmax(std::vector<double>& x) {
  const double highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& v : x) sum += v = std::exp(v - highest);
  for (double& v : x) v /= sum;
}

void add(std::vector<double>& to, const std::vector<double>& more) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += more[i];
}

}  // namespace

Forward::Forward(const ModelConfig& model, const ModelWeights& weights, Options options)
    : m_(model), weights_(weights), options_(options) {
  embedding_ = need("token_embd.weight");
  last_norm_ = need("output_norm.weight");
  logits_ = m_.tie_word_embeddings ? embedding_ : need("output.weight");
  for (int64_t i = 0; i < m_.num_hidden_layers; ++i) {
    const auto of = [&](std::string_view name) {
      return need(fmt::format("blk.{}.{}.weight", i, name));
    };
    Layer layer{};
    layer.attn_norm = of("attn_norm");
    layer.q = of("attn_q");
    layer.k = of("attn_k");
    layer.v = of("attn_v");
    layer.output = of("attn_output");
    layer.ffn_norm = of("ffn_norm");
    if (m_.qk_norm()) {
      layer.q_norm = of("attn_q_norm");
      layer.k_norm = of("attn_k_norm");
    }
    const bool dense = m_.layer_is_dense(i);
    layer.gate = of(dense ? "ffn_gate" : "ffn_gate_exps");
    layer.up = of(dense ? "ffn_up" : "ffn_up_exps");
    layer.down = of(dense ? "ffn_down" : "ffn_down_exps");
    if (!dense) layer.router = of("ffn_gate_inp");
    if (!dense && m_.n_shared_experts.value_or(0) > 0) {
      layer.shared_gate = of("ffn_gate_shexp");
      layer.shared_up = of("ffn_up_shexp");
      layer.shared_down = of("ffn_down_shexp");
    }
    layers_.push_back(layer);
  }
  caches_.resize(layers_.size());
}

size_t Forward::need(std::string_view tensor) const {
  const auto found = weights_.find(tensor);
  if (!found) throw std::invalid_argument(fmt::format("the model has no tensor '{}'", tensor));
  return *found;
}

// x Wᵀ, W the rows [first, first + rows) of the tensor.
Forward::Matrix Forward::multiply(size_t tensor, int64_t first, int64_t rows,
                                  const Matrix& x) const {
  const size_t width = x.width, tokens = x.rows();
  Matrix out(tokens, static_cast<size_t>(rows));
  std::vector<double> row(width);
  if (!options_.rounded) {
    for (int64_t r = 0; r < rows; ++r) {
      weights_.row(tensor, first + r, row);
      for (size_t t = 0; t < tokens; ++t) {
        out[t][static_cast<size_t>(r)] = dot(row.data(), x[t].data(), width);
      }
    }
    return out;
  }
  const BlockFormat format = weights_.format(tensor);
  std::vector<double> activations = x.values;
  for (size_t t = 0; t < tokens; ++t) round_beside(format, {activations.data() + t * width, width});
  const std::vector<float> rounded(activations.begin(), activations.end());
  for (int64_t r = 0; r < rows; ++r) {
    weights_.row(tensor, first + r, row);
    round_weights(format, row);
    const std::vector<float> floats(row.begin(), row.end());
    for (size_t t = 0; t < tokens; ++t) {
      out[t][static_cast<size_t>(r)] =
          rounded_product(format, floats, {rounded.data() + t * width, width});
    }
  }
  return out;
}

// RMSNorm of each `width` elements.
Forward::Matrix Forward::norm(size_t tensor, const Matrix& x, size_t width) const {
  std::vector<double> weight(width);
  weights_.row(tensor, 0, weight);
  Matrix out = x;
  for (size_t at = 0; at < out.values.size(); at += width) {
    const std::span<double> part(out.values.data() + at, width);
    double squares = 0;
    for (const double v : part) squares += v * v;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + m_.rms_norm_eps);
    for (size_t i = 0; i < width; ++i) part[i] *= scale * weight[i];
  }
  return out;
}

void Forward::rope(Matrix& x, const std::vector<int64_t>& positions) const {
  const auto width = static_cast<size_t>(m_.head_dim), half = width / 2;
  const bool neox = m_.model_type == ModelConfig::Type::qwen3;
  for (size_t t = 0; t < x.rows(); ++t) {
    for (size_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(positions[t]) *
          std::pow(m_.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(width));
      const double c = std::cos(angle), s = std::sin(angle);
      const size_t one = neox ? i : 2 * i, other = neox ? i + half : 2 * i + 1;
      for (size_t head = 0; head < x.width; head += width) {
        double &a = x[t][head + one], &b = x[t][head + other];
        const double turned = a * c - b * s;
        b = a * s + b * c;
        a = turned;
      }
    }
  }
}

Forward::Matrix Forward::attention(const Layer& layer, Cache& cache, const Matrix& x,
                                   const std::vector<int64_t>& positions) const {
  const auto dim = static_cast<size_t>(m_.head_dim);
  Matrix q = multiply(layer.q, 0, m_.q_width(), x), k = multiply(layer.k, 0, m_.kv_width(), x),
         v = multiply(layer.v, 0, m_.kv_width(), x);
  if (layer.q_norm) q = norm(*layer.q_norm, q, dim);
  if (layer.k_norm) k = norm(*layer.k_norm, k, dim);
  rope(q, positions);
  rope(k, positions);
  const auto round = [&](std::span<double> row) {
    if (options_.rounded) round_to(*options_.rounded, row);
  };
  for (size_t t = 0; t < x.rows(); ++t) {
    for (Matrix* matrix : {&q, &k, &v}) {
      for (size_t head = 0; head < matrix->width; head += dim) {
        round((*matrix)[t].subspan(head, dim));
      }
    }
  }
  cache.keys.insert(cache.keys.end(), k.values.begin(), k.values.end());
  cache.values.insert(cache.values.end(), v.values.begin(), v.values.end());

  const size_t width = k.width, group = q.width / width;
  const double scale = 1 / std::sqrt(static_cast<double>(dim));
  const int64_t window = m_.sliding_window.value_or(INT64_MAX);
  Matrix out(x.rows(), q.width);
  for (size_t t = 0; t < x.rows(); ++t) {
    std::vector<size_t> seen;
    for (size_t j = 0; j < held_.size(); ++j) {
      const int64_t back = positions[t] - held_[j];
      if (back >= -options_.look_ahead && back < window) seen.push_back(j);
    }
    for (size_t head = 0; head < q.width / dim; ++head) {
      const size_t at = head / group * dim;
      std::vector<double> p;
      for (const size_t j : seen) {
        p.push_back(scale * dot(&q[t][head * dim], &cache.keys[j * width + at], dim));
      }
      softmax(p);
      if (options_.rounded) round_sum(*options_.rounded, p);
      for (size_t n = 0; n < seen.size(); ++n) {
        const double* value = &cache.values[seen[n] * width + at];
        const auto sum = out[t].subspan(head * dim, dim);
        for (size_t d = 0; d < dim; ++d) sum[d] += p[n] * value[d];
        if (options_.rounded) round_sum(*options_.rounded, sum);
      }
    }
  }
  return multiply(layer.output, 0, m_.hidden_size, out);
}

// Of expert number `expert` of those in the tensors.
Forward::Matrix Forward::swiglu(size_t gate, size_t up, size_t down, int64_t expert, int64_t width,
                                const Matrix& x) const {
  Matrix inner = multiply(gate, expert * width, width, x);
  const Matrix factor = multiply(up, expert * width, width, x);
  for (size_t i = 0; i < inner.values.size(); ++i) {
    inner.values[i] = silu(inner.values[i]) * factor.values[i];
  }
  return multiply(down, expert * m_.hidden_size, m_.hidden_size, inner);
}

Forward::Matrix Forward::mixture(const Layer& layer, int64_t number, const Matrix& x,
                                 const std::vector<int64_t>& positions) {
  const int64_t experts = *m_.num_experts, width = m_.expert_width();
  const auto chosen = static_cast<size_t>(*m_.num_experts_per_tok);
  const Matrix routed = multiply(*layer.router, 0, experts, x);
  struct Use {
    size_t token = 0;
    double weight = 0;
  };
  std::vector<std::vector<Use>> uses(static_cast<size_t>(experts));
  for (size_t t = 0; t < x.rows(); ++t) {
    const std::vector<double> logits(routed[t].begin(), routed[t].end());
    std::vector<double> p = logits;
    softmax(p);
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
    if (chosen < order.size()) {
      const Options::Place place{number, positions[t]};
      choices_.push_back({place, logits[order[chosen - 1]] - logits[order[chosen]], logits});
      if (options_.other_expert == place) std::swap(order[chosen - 1], order[chosen]);
    }
    double sum = 0;
    for (size_t i = 0; i < chosen; ++i) sum += p[order[i]];
    for (size_t i = 0; i < chosen; ++i) {
      uses[order[i]].push_back({t, p[order[i]] / (m_.norm_topk_prob ? sum : 1)});
    }
  }
  Matrix out(x.rows(), x.width);
  for (int64_t expert = 0; expert < experts; ++expert) {
    const std::vector<Use>& mine = uses[static_cast<size_t>(expert)];
    if (mine.empty()) continue;
    Matrix some(mine.size(), x.width);
    for (size_t i = 0; i < mine.size(); ++i) {
      std::copy_n(x[mine[i].token].begin(), x.width, some[i].begin());
    }
    const Matrix result = swiglu(layer.gate, layer.up, layer.down, expert, width, some);
    for (size_t i = 0; i < mine.size(); ++i) {
      for (size_t d = 0; d < x.width; ++d) out[mine[i].token][d] += mine[i].weight * result[i][d];
    }
  }
  if (layer.shared_gate) {  // side by side they are one wide SwiGLU
    add(out.values, swiglu(*layer.shared_gate, *layer.shared_up, *layer.shared_down, 0,
                           width * *m_.n_shared_experts, x)
                        .values);
  }
  return out;
}

std::vector<std::vector<double>> Forward::run(std::span<const int32_t> tokens,
                                              std::span<const int64_t> outputs) {
  const auto hidden = static_cast<size_t>(m_.hidden_size);
  std::vector<int64_t> positions(tokens.size());
  std::iota(positions.begin(), positions.end(), position_);
  position_ += static_cast<int64_t>(tokens.size());
  held_.insert(held_.end(), positions.begin(), positions.end());

  Matrix x(tokens.size(), hidden);
  for (size_t t = 0; t < tokens.size(); ++t) weights_.row(embedding_, tokens[t], x[t]);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    add(x.values, attention(layer, caches_[i], norm(layer.attn_norm, x, hidden), positions).values);
    const Matrix normed = norm(layer.ffn_norm, x, hidden);
    add(x.values,
        layer.router
            ? mixture(layer, static_cast<int64_t>(i), normed, positions).values
            : swiglu(layer.gate, layer.up, layer.down, 0, m_.intermediate_size, normed).values);
  }
  Matrix last(outputs.size(), hidden);
  for (size_t n = 0; n < outputs.size(); ++n) {
    std::copy_n(x[static_cast<size_t>(outputs[n])].begin(), hidden, last[n].begin());
  }
  const Matrix logits = multiply(logits_, 0, m_.vocab_size, norm(last_norm_, last, hidden));
  std::vector<std::vector<double>> out;
  for (size_t n = 0; n < outputs.size(); ++n) out.emplace_back(logits[n].begin(), logits[n].end());
  return out;
}

double forward_products(const ModelConfig& m, int64_t tokens, int64_t outputs) {
  const auto t = static_cast<double>(tokens), hidden = static_cast<double>(m.hidden_size);
  double made = 0, products = 0;
  for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
    const double attention = hidden * static_cast<double>(2 * m.q_width() + 2 * m.kv_width());
    made += attention;
    products += t * attention + t * t * static_cast<double>(m.q_width());
    if (m.layer_is_dense(layer)) {
      const double dense = 3 * hidden * static_cast<double>(m.intermediate_size);
      made += dense;
      products += t * dense;
      continue;
    }
    const double expert = 3 * hidden * static_cast<double>(m.expert_width());
    const auto shared = static_cast<double>(m.n_shared_experts.value_or(0));
    made += expert * (static_cast<double>(*m.num_experts) + shared);
    products += t * expert * (static_cast<double>(*m.num_experts_per_tok) + shared) +
                t * hidden * static_cast<double>(*m.num_experts);
  }
  const double logits = hidden * static_cast<double>(m.vocab_size);
  return made + products + logits * (1 + static_cast<double>(outputs));
}

}  // namespace ridge
