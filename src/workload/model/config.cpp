#include "workload/model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "workload/fields.h"

namespace ridge {
namespace {

constexpr int64_t kMostExtent = int64_t{1} << 24;
constexpr double kMostElements = 0x1p50;  // so that bytes and costs are exact

// About as many as the model has; the exact number is of model/weights.h.
double elements(const ModelConfig& m) {
  const auto h = static_cast<double>(m.hidden_size), dim = static_cast<double>(m.head_dim);
  const double heads = static_cast<double>(m.num_attention_heads) * 4;  // q, k, v and output
  const double width =
      static_cast<double>(m.intermediate_size) +
      static_cast<double>(m.expert_width()) *
          static_cast<double>(m.num_experts.value_or(0) + m.n_shared_experts.value_or(0));
  return h * static_cast<double>(m.vocab_size) +
         static_cast<double>(m.num_hidden_layers) * h * (heads * dim + 3 * width);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '-' && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

}  // namespace

Result<void> validate(const ModelConfig& m) {
  const std::string where = fmt::format("model '{}'", m.name);
  const auto wrong = [&](std::string_view field, int64_t value, const std::string& want) {
    return Error{fmt::format("{}: {} must {}, found {}", where, field, want, value)};
  };
  if (!is_name(m.name)) {
    return Error{where + ": a name is 1 to 64 lower-case letters, digits, '.', '_' and '-'"};
  }
  const std::pair<std::string_view, int64_t> extents[] = {
      {"num_hidden_layers", m.num_hidden_layers},
      {"hidden_size", m.hidden_size},
      {"num_attention_heads", m.num_attention_heads},
      {"num_key_value_heads", m.num_key_value_heads},
      {"head_dim", m.head_dim},
      {"intermediate_size", m.intermediate_size},
      {"vocab_size", m.vocab_size},
      {"max_position_embeddings", m.max_position_embeddings},
      {"sliding_window", m.sliding_window.value_or(1)},
      {"num_experts", m.num_experts.value_or(1)},
      {"num_experts_per_tok", m.num_experts_per_tok.value_or(1)},
      {"moe_intermediate_size", m.moe_intermediate_size.value_or(1)}};
  for (const auto& [field, value] : extents) {
    if (value < 1 || value > kMostExtent) {
      return wrong(field, value, fmt::format("lie in 1 to {}", kMostExtent));
    }
  }
  if (m.num_hidden_layers > 4096)
    return wrong("num_hidden_layers", m.num_hidden_layers, "lie in 1 to 4096");
  if (m.num_attention_heads % m.num_key_value_heads != 0) {
    return wrong("num_key_value_heads", m.num_key_value_heads,
                 fmt::format("divide num_attention_heads, which is {}", m.num_attention_heads));
  }
  if (m.head_dim % 2 != 0) return wrong("head_dim", m.head_dim, "be even: rotations take pairs");
  if (m.is_moe() != m.num_experts_per_tok.has_value()) {
    return Error{where + ": num_experts and num_experts_per_tok go together"};
  }
  if (!m.is_moe() && (m.moe_intermediate_size || m.n_shared_experts || m.first_k_dense_replace)) {
    return Error{where +
                 ": moe_intermediate_size, n_shared_experts and first_k_dense_replace need "
                 "num_experts"};
  }
  if (m.is_moe()) {
    if (*m.num_experts_per_tok > *m.num_experts) {
      return wrong("num_experts_per_tok", *m.num_experts_per_tok,
                   fmt::format("be at most num_experts, which is {}", *m.num_experts));
    }
    const int64_t shared = m.n_shared_experts.value_or(0);
    if (shared < 0 || shared > 1024) return wrong("n_shared_experts", shared, "lie in 0 to 1024");
    const int64_t dense = m.first_k_dense_replace.value_or(0);
    if (dense < 0 || dense > m.num_hidden_layers) {
      return wrong("first_k_dense_replace", dense,
                   fmt::format("lie in 0 to num_hidden_layers, which is {}", m.num_hidden_layers));
    }
  }
  if (!(m.rope_theta > 0) || !std::isfinite(m.rope_theta)) {
    return Error{fmt::format("{}: rope_theta must be above 0, found {}", where, m.rope_theta)};
  }
  if (!(m.rms_norm_eps >= 0) || m.rms_norm_eps > 1) {
    return Error{
        fmt::format("{}: rms_norm_eps must lie in 0 to 1, found {}", where, m.rms_norm_eps)};
  }
  if (elements(m) > kMostElements) {
    return Error{fmt::format("{}: would have {:.3g} parameters, more than {:.3g}", where,
                             elements(m), kMostElements)};
  }
  return {};
}

Json to_json(const ModelConfig& model) { return field_json(model); }

Result<ModelConfig> parse_model(const Json& json, const std::string& where) {
  ModelConfig model;
  Fields fields(json, where);
  read_fields(fields, model);
  if (auto done = fields.done(); !done) return done.error();
  if (auto valid = validate(model); !valid) return valid.error().in(where);
  return model;
}

}  // namespace ridge
