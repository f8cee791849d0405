#include "workload/model/gguf_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <unordered_map>

#include "workload/files/gguf_write.h"
#include "workload/files/in_quotes.h"
#include "workload/model/weights.h"

namespace ridge {
namespace {

using Type = ModelConfig::Type;

constexpr std::string_view kArchitectures[] = {"llama", "qwen3", "qwen3moe", "deepseek"};
constexpr uint32_t kQuantisationVersion = 2;  // ggml.h's GGML_QNT_VERSION

// llama.h's llama_ftype and the names that llama.cpp prints; those of rare types are their own.
struct FileType {
  uint32_t number;
  std::string_view name;
};
constexpr FileType kFileTypes[] = {{0, "F32"},
                                   {1, "F16"},
                                   {2, "Q4_0"},
                                   {3, "Q4_1"},
                                   {7, "Q8_0"},
                                   {8, "Q5_0"},
                                   {9, "Q5_1"},
                                   {10, "Q2_K - Medium"},
                                   {11, "Q3_K - Small"},
                                   {12, "Q3_K - Medium"},
                                   {13, "Q3_K - Large"},
                                   {14, "Q4_K - Small"},
                                   {15, "Q4_K - Medium"},
                                   {16, "Q5_K - Small"},
                                   {17, "Q5_K - Medium"},
                                   {18, "Q6_K"},
                                   {21, "Q2_K - Small"},
                                   {32, "BF16"}};

uint32_t file_type(ModelFormat format) {
  switch (format) {
    case ModelFormat::f32: return 0;
    case ModelFormat::f16: return 1;
    case ModelFormat::q4_0: return 2;
    case ModelFormat::q8_0: return 7;
    case ModelFormat::q4_k_m: return 15;
    case ModelFormat::q6_k: return 18;
    case ModelFormat::bf16: break;
  }
  return 32;
}

// llama.cpp's architecture that computes this very model.
Result<std::string> architecture(const ModelConfig& m) {
  const auto none = [&](std::string_view why) {
    return Error{fmt::format("model '{}': llama.cpp has no architecture for it: {}", m.name, why)};
  };
  const bool shared = m.n_shared_experts.value_or(0) > 0;
  const bool mixed = m.first_k_dense_replace.value_or(0) > 0;
  if (m.model_type == Type::deepseek) {
    if (!m.is_moe() || !shared) return none("deepseek without shared experts");
    if (m.norm_topk_prob) return none("deepseek's chosen experts' weights do not add up to 1");
    if (m.q_width() != m.hidden_size) return none("deepseek's heads are as wide as its state");
    return std::string("deepseek");
  }
  if (shared || mixed) return none("shared experts and dense first layers are deepseek's");
  if (m.is_moe() && !m.norm_topk_prob) return none("its chosen experts' weights must add up to 1");
  if (m.model_type == Type::qwen3) return std::string(m.is_moe() ? "qwen3moe" : "qwen3");
  return std::string("llama");
}

// A float's shortest decimal as a double: 1e-05, not 9.999999747378752e-06.
double as_written(double value) {
  return std::strtod(fmt::format("{}", static_cast<float>(value)).c_str(), nullptr);
}

// Reads the keys of one architecture; the first error stays.
class Keys {
 public:
  Keys(const Gguf& gguf, std::string architecture)
      : gguf_(gguf), prefix_(std::move(architecture) + ".") {}

  // An integer, or an array whose values are all the same.
  std::optional<int64_t> integer(std::string_view key) {
    const auto values = gguf_.integers(prefix_ + std::string(key));
    if (!values || values->empty()) {
      if (gguf_.find(prefix_ + std::string(key))) fail(key, "is no whole number");
      return std::nullopt;
    }
    if (std::adjacent_find(values->begin(), values->end(), std::not_equal_to<>()) !=
        values->end()) {
      fail(key, "differs from layer to layer, which no configuration here can");
    }
    return values->front();
  }
  int64_t required(std::string_view key) {
    const auto value = integer(key);
    if (!value) fail(key, "is missing");
    return value.value_or(0);
  }
  double number(std::string_view key, double otherwise) {
    const auto value = gguf_.number(prefix_ + std::string(key));
    return value ? as_written(*value) : otherwise;
  }
  std::string text(std::string_view key) {
    return gguf_.text(prefix_ + std::string(key)).value_or("");
  }
  void fail(std::string_view key, std::string_view why) {
    if (!error_) error_ = Error{fmt::format("{}{} {}", prefix_, key, why)};
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const Gguf& gguf_;
  std::string prefix_;
  std::optional<Error> error_;
};

Result<ModelConfig> config_of(const Gguf& gguf, const std::string& arch, const std::string& name) {
  Keys keys(gguf, arch);
  ModelConfig m{.name = name};
  m.num_hidden_layers = keys.required("block_count");
  m.hidden_size = keys.required("embedding_length");
  m.num_attention_heads = keys.required("attention.head_count");
  m.num_key_value_heads = keys.integer("attention.head_count_kv").value_or(m.num_attention_heads);
  const int64_t even = m.num_attention_heads > 0 ? m.hidden_size / m.num_attention_heads : 0;
  m.head_dim = keys.integer("attention.key_length").value_or(even);
  if (keys.integer("attention.value_length").value_or(even) != m.head_dim) {
    keys.fail("attention.value_length", "differs from that of keys");
  }
  m.max_position_embeddings = keys.required("context_length");
  m.sliding_window = keys.integer("attention.sliding_window");
  m.rope_theta = keys.number("rope.freq_base", 10000);
  m.rms_norm_eps = keys.number("attention.layer_norm_rms_epsilon", 1e-5);
  m.num_experts = keys.integer("expert_count");
  if (m.num_experts == 0) m.num_experts.reset();
  const GgufTensor* embedding = gguf.tensor("token_embd.weight");
  if (embedding && !embedding->shape.empty()) m.vocab_size = embedding->shape.front();
  m.tie_word_embeddings = !gguf.tensor("output.weight");

  m.model_type = arch == "deepseek"          ? Type::deepseek
                 : arch.starts_with("qwen3") ? Type::qwen3
                 : m.is_moe()                ? Type::mixtral
                 : m.sliding_window          ? Type::mistral
                                             : Type::llama;
  const auto dense_width = keys.integer("feed_forward_length");
  if (m.is_moe()) {
    m.num_experts_per_tok = keys.required("expert_used_count");
    m.norm_topk_prob = arch != "deepseek";
    if (arch != "llama") m.moe_intermediate_size = keys.integer("expert_feed_forward_length");
    if (arch == "deepseek") {
      m.n_shared_experts = keys.integer("expert_shared_count");
      m.first_k_dense_replace = keys.integer("leading_dense_block_count");
    }
  }
  m.intermediate_size = dense_width.value_or(m.moe_intermediate_size.value_or(0));
  if (keys.error()) return *keys.error();
  if (auto valid = validate(m); !valid) return valid.error();
  return m;
}

std::vector<std::string> beyond_config(const Gguf& gguf, const ModelConfig& m,
                                       const std::string& arch) {
  std::vector<std::string> out;
  Keys keys(gguf, arch);
  const std::string scaling = keys.text("rope.scaling.type");
  if (!scaling.empty() && scaling != "none") out.push_back("RoPE scaled: " + in_quotes(scaling));
  if (keys.integer("rope.dimension_count").value_or(m.head_dim) != m.head_dim) {
    out.emplace_back("RoPE of a part of each head");
  }
  const double scale = keys.number("expert_weights_scale", 1);
  if (scale != 0 && scale != 1) out.push_back(fmt::format("experts' weights times {}", scale));
  return out;
}

// Bytes by role; an error where a tensor of the model is not there, or is of another shape.
Result<void> count_tensors(const Gguf& gguf, GgufModel& out) {
  std::unordered_map<std::string_view, const GgufTensor*> index;
  for (const GgufTensor& tensor : gguf.tensors) index[tensor.name] = &tensor;
  for (const WeightTensor& want : weights(out.model, ModelFormat::f32)) {
    const auto at = index.find(want.name);
    if (at == index.end()) {
      return Error{fmt::format("its tensor {} is missing", want.name)};
    }
    const GgufTensor& tensor = *at->second;
    if (tensor.shape != want.shape) {
      return Error{fmt::format("its tensor {} is [{}], and its metadata ask for [{}]", want.name,
                               fmt::join(tensor.shape, ", "), fmt::join(want.shape, ", "))};
    }
    const auto bytes = static_cast<int64_t>(tensor.bytes);
    const bool gathered =
        want.role == WeightTensor::Role::embedding && !out.model.tie_word_embeddings;
    (want.role == WeightTensor::Role::expert ? out.file.expert_bytes
     : gathered                              ? out.file.embedding_bytes
                                             : out.file.matrix_bytes) += bytes;
    index.erase(at);
  }
  std::map<std::string, int> others;  // "'attn_q.bias'", how many
  for (const auto& [name, tensor] : index) {
    out.file.matrix_bytes += static_cast<int64_t>(tensor->bytes);
    const size_t layer = name.starts_with("blk.") ? name.find('.', 4) : std::string_view::npos;
    ++others[in_quotes(layer == std::string_view::npos ? name : name.substr(layer + 1))];
  }
  for (const auto& [name, count] : others) {
    out.beyond.push_back(count == 1 ? name : fmt::format("{} ({} of them)", name, count));
  }
  return {};
}

// What llama.cpp calls the file, or the format that most of its bytes have.
std::string label_of(const Gguf& gguf) {
  const auto number = gguf.integer("general.file_type");
  for (const FileType& type : kFileTypes) {
    if (number == type.number) return std::string(type.name);
  }
  std::map<BlockFormat, uint64_t> bytes;
  for (const GgufTensor& tensor : gguf.tensors) bytes[tensor.format] += tensor.bytes;
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == bytes.end()) return "file";
  std::string label(name(most->first));
  for (char& c : label) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return label;
}

}  // namespace

std::string as_model_name(std::string_view text) {
  std::string name;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    if (!plain) c = '-';
    if (c == '-' && (name.empty() || name.back() == '-')) continue;
    if (c == '.' && name.empty()) continue;
    if (name.size() < 64) name += c;
  }
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "model" : name;
}

Result<GgufMetadata> gguf_metadata(const ModelConfig& m, ModelFormat format) {
  const auto found = architecture(m);
  if (!found) return found.error();
  const std::string& arch = *found;
  GgufMetadata out = {{"general.architecture", arch},
                      {"general.name", m.name},
                      {"general.file_type", file_type(format)},
                      {"general.quantization_version", kQuantisationVersion},
                      {"tokenizer.ggml.model", std::string("no_vocab")}};
  const auto count = [&](std::string_view key, int64_t value) {
    out.emplace_back(fmt::format("{}.{}", arch, key), static_cast<uint32_t>(value));
  };
  const auto number = [&](std::string_view key, double value) {
    out.emplace_back(fmt::format("{}.{}", arch, key), static_cast<float>(value));
  };
  count("vocab_size", m.vocab_size);
  count("context_length", m.max_position_embeddings);
  count("embedding_length", m.hidden_size);
  count("block_count", m.num_hidden_layers);
  const bool llama_experts = arch == "llama" && m.is_moe();  // that key is their width there
  count("feed_forward_length", llama_experts ? m.expert_width() : m.intermediate_size);
  count("attention.head_count", m.num_attention_heads);
  count("attention.head_count_kv", m.num_key_value_heads);
  count("attention.key_length", m.head_dim);
  count("attention.value_length", m.head_dim);
  if (m.sliding_window) count("attention.sliding_window", *m.sliding_window);
  number("attention.layer_norm_rms_epsilon", m.rms_norm_eps);
  count("rope.dimension_count", m.head_dim);
  number("rope.freq_base", m.rope_theta);
  if (m.is_moe()) {
    count("expert_count", *m.num_experts);
    count("expert_used_count", *m.num_experts_per_tok);
    if (arch != "llama") count("expert_feed_forward_length", m.expert_width());
  }
  if (arch == "deepseek") {
    count("expert_shared_count", *m.n_shared_experts);
    count("leading_dense_block_count", m.first_k_dense_replace.value_or(0));
    number("expert_weights_scale", 1);
  }
  return out;
}

std::vector<GgufTensor> gguf_tensors(const ModelConfig& model, ModelFormat format) {
  std::vector<GgufTensor> out;
  for (WeightTensor& t : weights(model, format)) {
    out.push_back({.name = std::move(t.name), .format = t.format, .shape = std::move(t.shape)});
  }
  return out;
}

Result<void> write_model(const std::string& path, const ModelConfig& model, ModelFormat format,
                         uint64_t seed, int threads) {
  if (auto can = storable(model, format); !can) return can;
  auto metadata = gguf_metadata(model, format);
  if (!metadata) return metadata.error();
  std::unordered_map<std::string, WeightTensor> by_name;
  for (WeightTensor& t : weights(model, format)) by_name[t.name] = t;
  const InputSource inputs{.seed = seed};
  return write_gguf(
      path, *metadata, gguf_tensors(model, format),
      [&](const GgufTensor& tensor, uint64_t first, std::span<std::byte> out) {
        const auto block = static_cast<uint64_t>(block_bytes(tensor.format));
        fill_weight(by_name.at(tensor.name), inputs, static_cast<int64_t>(first / block),
                    static_cast<int64_t>(out.size() / block), out.data());
      },
      threads);
}

Result<GgufModel> model_of_gguf(const Gguf& gguf, const std::string& path) {
  const auto arch = gguf.text("general.architecture");
  if (!arch) return Error{fmt::format("{}: general.architecture is missing", path)};
  if (std::find(std::begin(kArchitectures), std::end(kArchitectures), *arch) ==
      std::end(kArchitectures)) {
    return Error{fmt::format("{}: its architecture is {} (known: {})", path, in_quotes(*arch),
                             fmt::join(kArchitectures, ", "))};
  }
  if (gguf.integer("split.count").value_or(1) > 1) {
    return Error{fmt::format("{}: is one of {} parts: join them (llama-gguf-split --merge)", path,
                             *gguf.integer("split.count"))};
  }
  const std::string own = gguf.text("general.name").value_or("");
  auto model = config_of(
      gguf, *arch, as_model_name(own.empty() ? std::filesystem::path(path).stem().string() : own));
  if (!model) return model.error().in(path);
  GgufModel out{
      .model = *std::move(model), .file = {.path = path, .label = label_of(gguf)}, .beyond = {}};
  out.beyond = beyond_config(gguf, out.model, *arch);
  if (auto counted = count_tensors(gguf, out); !counted) return counted.error().in(path);
  return out;
}

}  // namespace ridge
