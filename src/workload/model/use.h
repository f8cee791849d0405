#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "workload/model/config.h"
#include "workload/model/format.h"

namespace ridge {

// What prefill, decode and load_model have in common: a model, the form of its weights and of its
// cache, and how much it already holds. The weights are the file's, or, without one, random ones
// that follow from (seed, tensor name) alone, so that nobody needs a download.
struct ModelUse {
  ModelConfig model;
  ModelFormat format = ModelFormat::f16;  // of synthetic weights
  std::optional<ModelFile> file = {};     // else
  KvFormat kv = KvFormat::f16;
  int64_t batch = 1;  // sequences
  int64_t depth = 0;  // tokens of each that are in the cache beforehand

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("model", self.model, "a name in data/models, or a whole configuration");
    visit("format", self.format, "of synthetic weights: f32, f16, bf16, q8_0, q4_0, q4_k_m, q6_k");
    visit("file", self.file, "weights of a GGUF file instead");
    visit("kv", self.kv, "keys and values: f16, f32, bf16 or q8_0; default f16");
    visit("batch", self.batch, "sequences");
    visit("depth", self.depth, "tokens of each that the cache holds beforehand");
  }
  bool operator==(const ModelUse&) const = default;
};

Result<void> validate(const ModelUse& use, int64_t tokens, std::string_view kind);
// "q8_0", or of a file its own label: in small letters without spaces ("q4_k-medium").
std::string format_name(const ModelUse& use);
// "qwen3-0.6b/q8_0", and what is not the default: "/kv-q8_0", "/b4".
std::string use_key(const ModelUse& use);
// Of all weights: the file's, or what the format makes of the model's.
int64_t weight_bytes_of(const ModelUse& use);

}  // namespace ridge
