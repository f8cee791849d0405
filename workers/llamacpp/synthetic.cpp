#include "synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "workload/files/gguf_write.h"
#include "workload/model/tokens.h"

namespace ridge::llamacpp {
namespace {

constexpr int64_t kShare = 1 << 20;  // bytes that a thread fills at a time

const char* architecture_of(const ModelConfig& model) {
  switch (model.model_type) {
    case ModelConfig::Type::qwen3: return "qwen3";
    case ModelConfig::Type::deepseek: return "deepseek";
    case ModelConfig::Type::llama:
    case ModelConfig::Type::mistral:
    case ModelConfig::Type::mixtral: break;  // GGUF calls them all llama
  }
  return "llama";
}

// llama.h's llama_ftype
uint32_t file_type_of(ModelFormat format) {
  switch (format) {
    case ModelFormat::f32: return 0;
    case ModelFormat::f16: return 1;
    case ModelFormat::q4_0: return 2;
    case ModelFormat::q8_0: return 7;
    case ModelFormat::q4_k_m: return 15;
    case ModelFormat::q6_k: return 18;
    case ModelFormat::bf16: return 32;
  }
  return 0;
}

// Q4_K - Medium keeps some matrices in Q6_K (llama-quant.cpp, llama_tensor_get_type): the output,
// and v and down of every layer that counts.
bool layer_counts(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

class Tensors {
 public:
  Tensors(const ModelConfig& model, ModelFormat format) : model_(model), format_(format) {}

  void norm(const std::string& name, int64_t width) {
    add({.name = name, .format = BlockFormat::f32, .shape = {width}}, 0.25, 1);
  }
  // Rows of k elements, as large as keeps what passes through them as large as it was.
  void matrix(const std::string& name, std::vector<int64_t> shape, bool counts = false) {
    const double scale = std::sqrt(3 / static_cast<double>(shape.back()));
    add({.name = name, .format = format_of(counts), .shape = std::move(shape)}, scale, 0);
  }
  void router(const std::string& name, int64_t experts) {
    const double scale = std::sqrt(3 / static_cast<double>(model_.hidden_size));
    add({.name = name, .format = BlockFormat::f32, .shape = {experts, model_.hidden_size}}, scale, 0);
  }
  std::vector<WeightTensor> take() { return std::move(all_); }

 private:
  BlockFormat format_of(bool counts) const {
    switch (format_) {
      case ModelFormat::f32: return BlockFormat::f32;
      case ModelFormat::f16: return BlockFormat::f16;
      case ModelFormat::bf16: return BlockFormat::bf16;
      case ModelFormat::q8_0: return BlockFormat::q8_0;
      case ModelFormat::q4_0: return BlockFormat::q4_0;
      case ModelFormat::q4_k_m: return counts ? BlockFormat::q6_k : BlockFormat::q4_k;
      case ModelFormat::q6_k: return BlockFormat::q6_k;
    }
    return BlockFormat::f32;
  }
  void add(GgufTensor tensor, double scale, float offset) {
    all_.push_back({std::move(tensor), scale, offset});
  }

  const ModelConfig& model_;
  ModelFormat format_;
  std::vector<WeightTensor> all_;
};

}  // namespace

GgufMetadata metadata_of(const ModelConfig& m, ModelFormat format) {
  const std::string arch = architecture_of(m);
  GgufMetadata metadata = {{"general.architecture", arch},
                           {"general.name", m.name},
                           {"general.file_type", file_type_of(format)},
                           {"general.quantization_version", uint32_t{2}},
                           {"tokenizer.ggml.model", std::string("no_vocab")}};
  const auto count = [&](const char* key, int64_t value) {
    metadata.emplace_back(arch + "." + key, static_cast<uint32_t>(value));
  };
  const auto number = [&](const char* key, double value) {
    metadata.emplace_back(arch + "." + key, static_cast<float>(value));
  };
  count("vocab_size", m.vocab_size);
  count("context_length", m.max_position_embeddings);
  count("embedding_length", m.hidden_size);
  count("block_count", m.num_hidden_layers);
  count("feed_forward_length",
        m.is_moe() && m.model_type != ModelConfig::Type::deepseek ? m.expert_width()
                                                                  : m.intermediate_size);
  count("attention.head_count", m.num_attention_heads);
  count("attention.head_count_kv", m.num_key_value_heads);
  count("attention.key_length", m.head_dim);
  count("attention.value_length", m.head_dim);
  count("rope.dimension_count", m.head_dim);
  number("rope.freq_base", m.rope_theta);
  number("attention.layer_norm_rms_epsilon", m.rms_norm_eps);
  if (m.is_moe()) {
    count("expert_count", *m.num_experts);
    count("expert_used_count", m.num_experts_per_tok.value_or(1));
    if (m.model_type == ModelConfig::Type::deepseek) {
      count("leading_dense_block_count", m.first_k_dense_replace.value_or(0));
      count("expert_feed_forward_length", m.expert_width());
      count("expert_shared_count", m.n_shared_experts.value_or(0));
      number("expert_weights_scale", 1);
    }
  }
  return metadata;
}

std::vector<WeightTensor> weights_of(const ModelConfig& m, ModelFormat format) {
  Tensors all(m, format);
  const int64_t hidden = m.hidden_size;
  all.matrix("token_embd.weight", {m.vocab_size, hidden}, m.tie_word_embeddings);
  for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
    const auto of = [&](const char* what) { return fmt::format("blk.{}.{}.weight", layer, what); };
    const bool counts = layer_counts(layer, m.num_hidden_layers);
    all.norm(of("attn_norm"), hidden);
    all.matrix(of("attn_q"), {m.q_width(), hidden});
    all.matrix(of("attn_k"), {m.kv_width(), hidden});
    all.matrix(of("attn_v"), {m.kv_width(), hidden}, counts);
    all.matrix(of("attn_output"), {hidden, m.q_width()});
    if (m.qk_norm()) {
      all.norm(of("attn_q_norm"), m.head_dim);
      all.norm(of("attn_k_norm"), m.head_dim);
    }
    all.norm(of("ffn_norm"), hidden);
    if (m.layer_is_dense(layer)) {
      all.matrix(of("ffn_gate"), {m.intermediate_size, hidden});
      all.matrix(of("ffn_up"), {m.intermediate_size, hidden});
      all.matrix(of("ffn_down"), {hidden, m.intermediate_size}, counts);
      continue;
    }
    const int64_t experts = *m.num_experts, width = m.expert_width();
    all.router(of("ffn_gate_inp"), experts);
    all.matrix(of("ffn_gate_exps"), {experts, width, hidden});
    all.matrix(of("ffn_up_exps"), {experts, width, hidden});
    all.matrix(of("ffn_down_exps"), {experts, hidden, width}, counts);
    if (const int64_t shared = m.n_shared_experts.value_or(0) * width; shared > 0) {
      all.matrix(of("ffn_gate_shexp"), {shared, hidden});
      all.matrix(of("ffn_up_shexp"), {shared, hidden});
      all.matrix(of("ffn_down_shexp"), {hidden, shared}, counts);
    }
  }
  all.norm("output_norm.weight", hidden);
  if (!m.tie_word_embeddings) all.matrix("output.weight", {m.vocab_size, hidden}, true);
  return all.take();
}

void fill(const WeightTensor& weight, uint64_t seed, int64_t first, int64_t count, void* out) {
  const TensorKey key = weight_key({.seed = seed}, weight.tensor.name);
  fill_blocks(weight.tensor.format, key, weight.scale, first, count, out);
  if (weight.offset == 0) return;
  auto* values = static_cast<float*>(out);
  for (int64_t i = 0; i < count; ++i) values[i] += weight.offset;
}

std::unique_ptr<MemoryFile> synthetic_file(const ModelUse& use, uint64_t seed, int threads) {
  const std::vector<WeightTensor> weights = weights_of(use.model, use.format);
  std::vector<GgufTensor> tensors;
  for (const WeightTensor& weight : weights) tensors.push_back(weight.tensor);
  auto layout = lay_out_gguf(metadata_of(use.model, use.format), std::move(tensors));
  if (!layout) throw std::runtime_error(layout.error().message);
  auto file = std::make_unique<MemoryFile>(layout->file_bytes);
  std::memcpy(file->bytes().data(), layout->header.data(), layout->header.size());

  struct Share {
    size_t tensor;
    int64_t first, count;
  };
  std::vector<Share> shares;
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto unit = block_bytes(weights[i].tensor.format);
    const int64_t all = static_cast<int64_t>(layout->tensors[i].bytes) / unit;
    for (int64_t first = 0; first < all; first += kShare / unit) {
      shares.push_back({i, first, std::min(kShare / unit, all - first)});
    }
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < shares.size(); i = next++) {
      const auto& [tensor, first, count] = shares[i];
      const auto unit = block_bytes(weights[tensor].tensor.format);
      fill(weights[tensor], seed, first, count,
           file->bytes().data() + layout->tensors[tensor].offset + first * unit);
    }
  };
  std::vector<std::jthread> team;
  for (int i = 1; i < threads; ++i) team.emplace_back(work);
  work();
  team.clear();
  return file;
}

}  // namespace ridge::llamacpp
