#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/kinds/prefill.h"
#include "workload/model/use.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// From a model's file to the answer to a first short prompt, as of a program that just started: the
// weights are read and laid out, a context is made, the prompt goes through (llama.cpp's "load
// time" ends there too). Without that prompt a file that is mapped might count as loaded before it
// was read. The cache of its settings is the page cache: cold, nothing of the file is in
// it; hot, all of it is. The output `logits` is f32 [1, vocab_size] of the prompt's last token.
struct LoadModel {
  ModelUse use;  // one sequence, nothing in its cache
  int64_t tokens = 0;

  static constexpr std::string_view kind = "load_model";
  static constexpr std::string_view about =
      "a model's file until it answers, page cache cold or hot";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("model", self.use.model, "a name in data/models, or a whole configuration");
    visit("format", self.use.format,
          "of synthetic weights: f32, f16, bf16, q8_0, q4_0, q4_k_m, q6_k");
    visit("file", self.use.file, "weights of a GGUF file instead");
    visit("tokens", self.tokens, "of the prompt");
  }

  bool operator==(const LoadModel&) const = default;
};

inline constexpr int64_t kLoadPrompt = 8;  // tokens, where nobody says otherwise

// The prompt alone, of the model once it is loaded.
inline Prefill prompt_of(const LoadModel& load) { return {load.use, load.tokens}; }

Result<void> validate(const LoadModel& load);
std::string work_key(const LoadModel& load);   // "load_model/qwen3-0.6b/q8_0/pp8"
std::string test_name(const LoadModel& load);  // "load+pp8"; llama-bench has no name for it
std::string operation(const LoadModel& load);  // "q8_0"
// Bytes of the weights, each read once; the rate is bytes/s. FLOPs are the prompt's.
Cost cost(const LoadModel& load, const Settings& settings);
std::vector<TensorSpec> tensors(const LoadModel& load);
std::vector<int64_t> elements_to_check(const LoadModel& load, std::string_view tensor, int64_t want,
                                       TensorKey choice);
std::vector<Expected> expected(const LoadModel& load, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
