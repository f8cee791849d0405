#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "workload/choices.h"

namespace ridge {

// A decoder-only transformer, by the field names of Hugging Face's config.json. Every layer:
// RMSNorm, grouped-query attention with RoPE and a causal mask, RMSNorm, SwiGLU; a last RMSNorm
// before the logits. A mixture of experts replaces the SwiGLU from layer first_k_dense_replace on.
struct ModelConfig {
  // What its weights are called in GGUF files, and what differs in the mathematics: qwen3 norms
  // every head of q and k; deepseek (its first, the 16B) adds shared experts and dense first
  // layers.
  enum class Type { llama, mistral, mixtral, qwen3, deepseek };

  std::string name;  // "qwen3-0.6b": lower case, part of keys
  Type model_type = Type::llama;
  int64_t num_hidden_layers = 0;
  int64_t hidden_size = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t intermediate_size = 0;  // of a dense layer's SwiGLU
  int64_t vocab_size = 0;
  bool tie_word_embeddings = false;
  std::optional<int64_t> sliding_window = {};  // keys that a token sees, itself included
  int64_t max_position_embeddings = 0;
  double rope_theta = 10000;
  double rms_norm_eps = 1e-5;
  std::optional<int64_t> num_experts = {};  // routed, of a layer; none: dense
  std::optional<int64_t> num_experts_per_tok = {};
  std::optional<int64_t> moe_intermediate_size = {};  // of an expert; none: intermediate_size
  std::optional<int64_t> n_shared_experts = {};       // run for every token
  std::optional<int64_t> first_k_dense_replace = {};  // layers before that are dense
  bool norm_topk_prob = false;                        // the chosen experts' weights add up to 1

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("name", self.name, "lower-case letters, digits, '.', '_' and '-'");
    visit("model_type", self.model_type, "llama, mistral, mixtral, qwen3 or deepseek");
    visit("num_hidden_layers", self.num_hidden_layers, "layers");
    visit("hidden_size", self.hidden_size, "elements of a token's state");
    visit("num_attention_heads", self.num_attention_heads, "query heads");
    visit("num_key_value_heads", self.num_key_value_heads,
          "key and value heads; divides the former");
    visit("head_dim", self.head_dim, "elements of a head");
    visit("intermediate_size", self.intermediate_size, "width of a dense layer's SwiGLU");
    visit("vocab_size", self.vocab_size, "tokens there are");
    visit("tie_word_embeddings", self.tie_word_embeddings, "the output is the embedding's matrix");
    visit("sliding_window", self.sliding_window, "keys that a token sees; none: all before it");
    visit("max_position_embeddings", self.max_position_embeddings, "longest context");
    visit("rope_theta", self.rope_theta, "base of the rotary embedding");
    visit("rms_norm_eps", self.rms_norm_eps, "added to the mean square");
    visit("num_experts", self.num_experts, "routed experts of a layer; none: dense");
    visit("num_experts_per_tok", self.num_experts_per_tok, "experts that a token is sent to");
    visit("moe_intermediate_size", self.moe_intermediate_size, "width of an expert");
    visit("n_shared_experts", self.n_shared_experts, "experts that every token is sent to");
    visit("first_k_dense_replace", self.first_k_dense_replace, "dense layers at the start");
    visit("norm_topk_prob", self.norm_topk_prob, "the chosen experts' weights add up to 1");
  }

  bool is_moe() const { return num_experts.has_value(); }
  bool qk_norm() const { return model_type == Type::qwen3; }
  bool layer_is_dense(int64_t layer) const {
    return !is_moe() || layer < first_k_dense_replace.value_or(0);
  }
  int64_t expert_width() const { return moe_intermediate_size.value_or(intermediate_size); }
  int64_t q_width() const { return num_attention_heads * head_dim; }
  int64_t kv_width() const { return num_key_value_heads * head_dim; }
  bool operator==(const ModelConfig&) const = default;
};

inline constexpr std::string_view kModelTypes[] = {"llama", "mistral", "mixtral", "qwen3",
                                                   "deepseek"};
inline Choices choices(ModelConfig::Type) { return {kModelTypes}; }

// Bounds and what has to fit together; the error says which field, what it is and what it may be.
Result<void> validate(const ModelConfig& model);
Json to_json(const ModelConfig& model);
// Our own form, every field by its name: data/models/*.json, and inside a Workload. (Config files
// of Hugging Face leave some out and have more: model/huggingface.h.)
Result<ModelConfig> parse_model(const Json& json, const std::string& where);

}  // namespace ridge
