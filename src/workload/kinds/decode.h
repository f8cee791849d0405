#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/model/use.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// Tokens one after the other through a whole model, each a pass of its own (llama-bench's tg128).
// Which tokens is known beforehand (random ones): choosing them is not timed, and the answer is the
// same wherever it is computed. The output `logits` is f32 [batch, vocab_size] of the last token.
struct Decode {
  ModelUse use;
  int64_t tokens = 0;

  static constexpr std::string_view kind = "decode";
  static constexpr std::string_view about = "tokens one by one through a whole model";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    ModelUse::fields(self.use, visit);
    visit("tokens", self.tokens, "generated, each sequence");
  }

  bool operator==(const Decode&) const = default;
};

Result<void> validate(const Decode& decode);
std::string work_key(const Decode& decode);                 // "decode/qwen3-0.6b/q8_0/tg128/d4096"
std::string test_name(const Decode& decode);                // "tg128 @ d4096": llama-bench's
std::string operation(const Decode& decode);                // "q8_0"
Cost cost(const Decode& decode, const Settings& settings);  // model/cost.h; the rate is tokens/s
std::vector<TensorSpec> tensors(const Decode& decode);      // logits
std::vector<int64_t> elements_to_check(const Decode& decode, std::string_view tensor, int64_t want,
                                       TensorKey choice);
std::vector<Expected> expected(const Decode& decode, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
