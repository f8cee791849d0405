#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "workload/choices.h"

namespace ridge {

// What a model's weights are stored in: one type for all matrices, or llama.cpp's mixtures by their
// names there (q4_k_m: Q4_K, and Q6_K where it counts). Norms stay f32.
enum class ModelFormat { f32, f16, bf16, q8_0, q4_0, q4_k_m, q6_k };
inline constexpr std::string_view kModelFormats[] = {"f32",  "f16",    "bf16", "q8_0",
                                                     "q4_0", "q4_k_m", "q6_k"};
inline Choices choices(ModelFormat) { return {kModelFormats}; }

// What keys and values are kept in.
enum class KvFormat { f16, f32, bf16, q8_0 };
inline constexpr std::string_view kKvFormats[] = {"f16", "f32", "bf16", "q8_0"};
inline Choices choices(KvFormat) { return {kKvFormats, false}; }

// A file that holds the weights, read when the work was asked for, so that its cost is known where
// the file is not. Bytes as they lie in it.
struct ModelFile {
  std::string path;
  std::string label;            // "Q4_K - Medium": what the file says it is, or its types by bytes
  int64_t matrix_bytes = 0;     // read for every token of a dense model, output and norms included
  int64_t embedding_bytes = 0;  // gathered by rows; 0 where the output uses the same matrix
  int64_t expert_bytes = 0;     // of all routed experts of all layers

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("path", self.path, "GGUF file");
    visit("label", self.label, "what its weights are stored in");
    visit("matrix_bytes", self.matrix_bytes, "weights that every token reads");
    visit("embedding_bytes", self.embedding_bytes, "embedding, where it is no output matrix too");
    visit("expert_bytes", self.expert_bytes, "routed experts of all layers");
  }
  bool operator==(const ModelFile&) const = default;
};

}  // namespace ridge
