#include "workload/model/weights.h"

#include <fmt/format.h>

#include <cmath>

#include "workload/model/tokens.h"

namespace ridge {
namespace {

using Role = WeightTensor::Role;

struct Mixture {
  BlockFormat plain;   // of what is not special
  BlockFormat output;  // of the output, or of an embedding that is the output too
};
Mixture mixture(ModelFormat format) {
  switch (format) {
    case ModelFormat::f32: return {BlockFormat::f32, BlockFormat::f32};
    case ModelFormat::f16: return {BlockFormat::f16, BlockFormat::f16};
    case ModelFormat::bf16: return {BlockFormat::bf16, BlockFormat::bf16};
    case ModelFormat::q8_0: return {BlockFormat::q8_0, BlockFormat::q8_0};
    case ModelFormat::q4_0: return {BlockFormat::q4_0, BlockFormat::q6_k};
    case ModelFormat::q4_k_m: return {BlockFormat::q4_k, BlockFormat::q6_k};
    case ModelFormat::q6_k: break;
  }
  return {BlockFormat::q6_k, BlockFormat::q6_k};
}
bool is_quantised(ModelFormat format) {
  return format != ModelFormat::f32 && format != ModelFormat::f16 && format != ModelFormat::bf16;
}

// Layers whose attn_v and ffn_down q4_k_m stores in Q6_K: the first and last eighth, and every
// third between.
bool more_bits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// As llama.cpp falls back where a row is no multiple of the block.
BlockFormat fitting(BlockFormat format, int64_t row) {
  if (row % block_elements(format) == 0) return format;
  BlockFormat smaller = BlockFormat::f16;
  if (format == BlockFormat::q4_k) smaller = BlockFormat::q5_0;
  if (format == BlockFormat::q5_k) smaller = BlockFormat::q5_1;
  if (format == BlockFormat::q6_k) smaller = BlockFormat::q8_0;
  return row % block_elements(smaller) == 0 ? smaller : BlockFormat::f16;
}

class List {
 public:
  List(const ModelConfig& model, ModelFormat format)
      : model_(model), format_(format), mixture_(mixture(format)) {}

  void add(std::string name, Role role, std::vector<int64_t> shape, int64_t layer = -1) {
    WeightTensor tensor{.name = std::move(name),
                        .role = role,
                        .shape = std::move(shape),
                        .format = BlockFormat::f32,
                        .layer = layer};
    tensor.format = format_of(tensor);
    list_.push_back(std::move(tensor));
  }
  // blk.LAYER.NAME.weight
  void add(int64_t layer, std::string_view name, Role role, std::vector<int64_t> shape) {
    add(fmt::format("blk.{}.{}.weight", layer, name), role, std::move(shape), layer);
    list_.back().caches =
        name == "attn_norm" || name == "attn_k" || name == "attn_v" || name == "attn_k_norm";
  }
  std::vector<WeightTensor> take() { return std::move(list_); }

 private:
  bool is(const WeightTensor& t, std::string_view part) const {
    return t.name.find(part) != std::string::npos;
  }
  BlockFormat format_of(const WeightTensor& t) const {
    if (t.role == Role::norm || is(t, "ffn_gate_inp")) return BlockFormat::f32;
    if (!is_quantised(format_)) return mixture_.plain;
    return fitting(wanted(t), t.row());
  }
  BlockFormat wanted(const WeightTensor& t) const {
    const bool medium = format_ == ModelFormat::q4_k_m;
    const bool eight = model_.num_experts == 8;
    const bool more = medium && more_bits(t.layer, model_.num_hidden_layers);
    const bool tied = t.role == Role::embedding && model_.tie_word_embeddings;
    if (t.role == Role::output || tied) {
      return t.row() % block_elements(mixture_.plain) == 0 ? mixture_.output : BlockFormat::q8_0;
    }
    if (is(t, "attn_v.")) {
      if (eight) return BlockFormat::q8_0;
      if (more) return BlockFormat::q6_k;
      return medium && is_70b() ? BlockFormat::q5_k : mixture_.plain;
    }
    if (is(t, "attn_k.") && eight) return BlockFormat::q8_0;
    if (is(t, "attn_output.") && eight && medium) return BlockFormat::q5_k;
    if (is(t, "ffn_down") && more) return BlockFormat::q6_k;
    return mixture_.plain;
  }
  // What llama.cpp takes for Llama 70B: its values are worth more bits.
  bool is_70b() const {
    return model_.num_hidden_layers == 80 && model_.model_type != ModelConfig::Type::qwen3 &&
           model_.model_type != ModelConfig::Type::deepseek &&
           model_.num_attention_heads != model_.num_key_value_heads;
  }

  const ModelConfig& model_;
  ModelFormat format_;
  Mixture mixture_;
  std::vector<WeightTensor> list_;
};

void add_feed_forward(const ModelConfig& m, int64_t layer, List& list) {
  const int64_t h = m.hidden_size;
  const auto swiglu = [&](std::string_view suffix, int64_t width) {
    for (const std::string_view name : {"ffn_gate", "ffn_up"}) {
      list.add(layer, fmt::format("{}{}", name, suffix), Role::matrix, {width, h});
    }
    list.add(layer, fmt::format("ffn_down{}", suffix), Role::matrix, {h, width});
  };
  list.add(layer, "ffn_norm", Role::norm, {h});
  if (m.layer_is_dense(layer)) return swiglu("", m.intermediate_size);
  const int64_t experts = *m.num_experts, width = m.expert_width();
  list.add(layer, "ffn_gate_inp", Role::matrix, {experts, h});
  list.add(layer, "ffn_gate_exps", Role::expert, {experts, width, h});
  list.add(layer, "ffn_up_exps", Role::expert, {experts, width, h});
  list.add(layer, "ffn_down_exps", Role::expert, {experts, h, width});
  if (const int64_t shared = m.n_shared_experts.value_or(0); shared > 0) {
    swiglu("_shexp", shared * width);
  }
}

}  // namespace

int64_t WeightTensor::elements() const {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

std::vector<WeightTensor> weights(const ModelConfig& m, ModelFormat format) {
  const int64_t h = m.hidden_size;
  List list(m, format);
  list.add("token_embd.weight", Role::embedding, {m.vocab_size, h});
  for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
    list.add(layer, "attn_norm", Role::norm, {h});
    list.add(layer, "attn_q", Role::matrix, {m.q_width(), h});
    list.add(layer, "attn_k", Role::matrix, {m.kv_width(), h});
    list.add(layer, "attn_v", Role::matrix, {m.kv_width(), h});
    if (m.qk_norm()) {
      list.add(layer, "attn_q_norm", Role::norm, {m.head_dim});
      list.add(layer, "attn_k_norm", Role::norm, {m.head_dim});
    }
    list.add(layer, "attn_output", Role::matrix, {h, m.q_width()});
    add_feed_forward(m, layer, list);
  }
  list.add("output_norm.weight", Role::norm, {h});
  if (!m.tie_word_embeddings) list.add("output.weight", Role::output, {m.vocab_size, h});
  return list.take();
}

Result<void> storable(const ModelConfig& m, ModelFormat format) {
  if (!is_quantised(format)) return {};
  for (const WeightTensor& t : weights(m, format)) {
    if (t.role == Role::norm || t.format == BlockFormat::f32 || t.row() % 32 == 0) continue;
    return Error{
        fmt::format("model '{}' cannot be stored in {}: rows of {} are {} long, which is "
                    "no multiple of 32",
                    m.name, name(format), t.name, t.row())};
  }
  return {};
}

Parameters parameters(const ModelConfig& m) {
  Parameters sum;
  for (const WeightTensor& t : weights(m, ModelFormat::f32)) {
    const int64_t elements = t.elements();
    sum.all += elements;
    sum.active +=
        t.role == Role::expert ? elements / *m.num_experts * *m.num_experts_per_tok : elements;
    if (t.role == Role::embedding) sum.embedding = elements;
  }
  return sum;
}

WeightBytes weight_bytes(const ModelConfig& m, ModelFormat format) {
  WeightBytes sum;
  for (const WeightTensor& t : weights(m, format)) {
    const bool gathered = t.role == Role::embedding && !m.tie_word_embeddings;
    (t.role == Role::expert ? sum.expert : gathered ? sum.embedding : sum.matrix) += t.bytes();
  }
  return sum;
}

BlockFormat block_format(KvFormat kv) {
  switch (kv) {
    case KvFormat::f16: return BlockFormat::f16;
    case KvFormat::f32: return BlockFormat::f32;
    case KvFormat::bf16: return BlockFormat::bf16;
    case KvFormat::q8_0: break;
  }
  return BlockFormat::q8_0;
}

int64_t kv_bytes_per_token(const ModelConfig& m, KvFormat kv) {
  return 2 * m.num_hidden_layers * bytes_of(block_format(kv), m.kv_width());
}

double weight_scale(const WeightTensor& t) {
  return t.role == Role::norm ? kNormNoise : std::sqrt(3.0 / static_cast<double>(t.row()));
}

void fill_weight(const WeightTensor& t, const InputSource& inputs, int64_t first, int64_t count,
                 void* out) {
  fill_blocks(t.format, weight_key(inputs, t.name), weight_scale(t), first, count, out);
  if (t.role != Role::norm) return;
  auto* values = static_cast<float*>(out);
  for (int64_t i = 0; i < count; ++i) values[i] += 1.0f;
}

}  // namespace ridge
