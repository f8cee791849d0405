#include "workload/model/huggingface.h"

#include <fmt/format.h>

#include <filesystem>

#include "workload/files/in_quotes.h"
#include "workload/files/safetensors.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/weights.h"

namespace ridge {
namespace {

using Type = ModelConfig::Type;

struct Known {
  std::string_view model_type;
  Type type;
};
constexpr Known kKnown[] = {{"llama", Type::llama},     {"mistral", Type::mistral},
                            {"mixtral", Type::mixtral}, {"qwen3", Type::qwen3},
                            {"qwen3_moe", Type::qwen3}, {"deepseek", Type::deepseek}};

// Members that a computation from a ModelConfig would pass over, where they say something.
Result<void> refuse_others(const Json& json, const std::string& where) {
  const auto is_true = [&](std::string_view key) {
    const Json* value = json.find(key);
    return value && value->is_bool() && value->as_bool();
  };
  for (const std::string_view key : {"attention_bias", "mlp_bias"}) {
    if (is_true(key)) return Error{fmt::format("{}: {} is true: biases are not known", where, key)};
  }
  if (const Json* act = json.find("hidden_act"); act && *act != Json("silu")) {
    return Error{fmt::format("{}: hidden_act is {} (known: silu)", where, act->dump())};
  }
  for (const std::string_view key : {"moe_layer_freq", "decoder_sparse_step"}) {
    if (const Json* step = json.find(key); step && !step->is_null() && *step != Json(1)) {
      return Error{fmt::format("{}: {} is {} (known: 1)", where, key, step->dump())};
    }
  }
  if (const Json* layers = json.find("mlp_only_layers");
      layers && layers->is_array() && !layers->as_array().empty()) {
    return Error{where + ": mlp_only_layers is not empty: dense layers come first here"};
  }
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    const Json* scaling = json.find(key);
    if (!scaling || !scaling->is_object()) continue;
    for (const std::string_view member : {"rope_type", "type"}) {
      const Json* type = scaling->find(member);
      if (type && type->is_string() && type->as_string() != "default") {
        return Error{fmt::format("{}: {} is '{}': RoPE that is scaled is not known", where, key,
                                 type->as_string())};
      }
    }
  }
  return {};
}

// The first of these names that is there and no null.
void either(Fields& fields, std::initializer_list<std::string_view> names,
            std::optional<int64_t>& out) {
  for (const std::string_view name : names) {
    if (!out) fields.optional(name, out);
  }
}

// Where the mixture's numbers stand: each family names them in its own way.
void read_experts(Fields& fields, std::string_view type, ModelConfig& m) {
  either(fields, {"num_local_experts", "n_routed_experts", "num_experts"}, m.num_experts);
  fields.optional("num_experts_per_tok", m.num_experts_per_tok);
  fields.optional("norm_topk_prob", m.norm_topk_prob);
  if (type == "mixtral") {  // transformers' defaults
    m.num_experts = m.num_experts.value_or(8);
    m.num_experts_per_tok = m.num_experts_per_tok.value_or(2);
    m.norm_topk_prob = true;
    return;
  }
  fields.optional("moe_intermediate_size", m.moe_intermediate_size);
  if (type != "deepseek") return;
  fields.optional("n_shared_experts", m.n_shared_experts);
  fields.optional("first_k_dense_replace", m.first_k_dense_replace);
}

}  // namespace

bool is_huggingface_config(const Json& json) {
  return json.find("architectures") || json.find("transformers_version") ||
         (json.find("model_type") && !json.find("name"));
}

Result<ModelConfig> parse_huggingface(const Json& json, const std::string& name,
                                      const std::string& where) {
  Fields fields(json, where);
  std::string type, path;
  fields.required("model_type", type).optional("_name_or_path", path);
  ModelConfig m;
  std::string known;
  bool found = false;
  for (const Known& k : kKnown) {
    if (k.model_type == type) m.model_type = k.type, found = true;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", k.model_type);
  }
  if (!found) {
    if (auto done = fields.done(Fields::Unknown::allow); !done) return done.error();
    return Error{
        fmt::format("{}: its model_type is {} (known: {})", where, in_quotes(type), known)};
  }
  const bool is_folder = name.empty() || name == "." || name == "/";
  m.name = as_model_name(is_folder ? path : name);
  fields.required("num_hidden_layers", m.num_hidden_layers)
      .required("hidden_size", m.hidden_size)
      .required("num_attention_heads", m.num_attention_heads)
      .required("intermediate_size", m.intermediate_size)
      .required("vocab_size", m.vocab_size)
      .required("max_position_embeddings", m.max_position_embeddings);
  std::optional<int64_t> kv_heads, head_dim;
  fields.optional("num_key_value_heads", kv_heads).optional("head_dim", head_dim);
  m.num_key_value_heads = kv_heads.value_or(m.num_attention_heads);
  m.head_dim =
      head_dim.value_or(m.num_attention_heads > 0 ? m.hidden_size / m.num_attention_heads : 0);
  m.rope_theta = 10000;
  m.rms_norm_eps = 1e-6;
  fields.optional("rope_theta", m.rope_theta).optional("rms_norm_eps", m.rms_norm_eps);
  if (const Json* rope = json.find("rope_parameters"); rope && rope->is_object()) {
    if (const Json* theta = rope->find("rope_theta"); theta && theta->is_number()) {
      m.rope_theta = theta->as_double();
    }
  }
  fields.optional("tie_word_embeddings", m.tie_word_embeddings);
  bool slides = type == "mistral" || type == "mixtral";  // else only where it is asked for
  fields.optional("use_sliding_window", slides);
  if (slides) fields.optional("sliding_window", m.sliding_window);
  if (type == "mixtral" || type == "qwen3_moe" || type == "deepseek") read_experts(fields, type, m);
  if (auto done = fields.done(Fields::Unknown::allow); !done) return done.error();
  if (auto others = refuse_others(json, where); !others) return others.error();
  if (auto valid = validate(m); !valid) return valid.error().in(where);
  return m;
}

Result<void> check_huggingface_weights(const ModelConfig& m, const std::string& folder) {
  const std::filesystem::path path(folder);
  std::error_code error;
  if (!std::filesystem::exists(path / "model.safetensors", error) &&
      !std::filesystem::exists(path / "model.safetensors.index.json", error)) {
    return {};
  }
  auto files = open_safetensors(folder);
  if (!files) return files.error();
  const SafetensorsTensor* embedding = files->tensor("model.embed_tokens.weight");
  if (!embedding) return Error{folder + ": its weights have no model.embed_tokens.weight"};
  if (embedding->shape != std::vector<int64_t>{m.vocab_size, m.hidden_size}) {
    return Error{
        fmt::format("{}: model.embed_tokens.weight is [{}], and config.json asks for "
                    "[{}, {}]",
                    folder, fmt::join(embedding->shape, ", "), m.vocab_size, m.hidden_size)};
  }
  int64_t elements = 0;
  for (const SafetensorsTensor& tensor : files->tensors) {
    const bool twice = m.tie_word_embeddings && tensor.name == "lm_head.weight";
    const bool table = tensor.name.ends_with("rotary_emb.inv_freq");  // older exports hold it
    if (!twice && !table) elements += tensor.elements();
  }
  if (const int64_t want = parameters(m).all; elements != want) {
    return Error{fmt::format("{}: its weights have {} elements, and config.json asks for {}",
                             folder, elements, want)};
  }
  return {};
}

}  // namespace ridge
