#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/choices.h"
#include "workload/model/use.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// A prompt of `tokens` tokens through a whole model, in one pass (llama-bench's pp512). Its time is
// what a user waits for the first token. The output `logits` is f32 [batch, vocab_size] of the last
// token, or [batch, tokens, vocab_size].
struct Prefill {
  enum class Logits { last, all };

  ModelUse use;
  int64_t tokens = 0;
  Logits logits = Logits::last;

  static constexpr std::string_view kind = "prefill";
  static constexpr std::string_view about = "a prompt through a whole model";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    ModelUse::fields(self.use, visit);
    visit("tokens", self.tokens, "of the prompt, each sequence");
    visit("logits", self.logits, "of the last token, or of all; default last");
  }

  bool operator==(const Prefill&) const = default;
};

inline constexpr std::string_view kPrefillLogits[] = {"last", "all"};
inline Choices choices(Prefill::Logits) { return {kPrefillLogits, false}; }

Result<void> validate(const Prefill& prefill);
std::string work_key(const Prefill& prefill);   // "prefill/qwen3-0.6b/q8_0/pp512/d4096"
std::string test_name(const Prefill& prefill);  // "pp512 @ d4096": llama-bench's
std::string operation(const Prefill& prefill);  // "q8_0"
Cost cost(const Prefill& prefill, const Settings& settings);  // model/cost.h; the rate is tokens/s
std::vector<TensorSpec> tensors(const Prefill& prefill);      // logits
// Whole rows, as one costs the same as a single element.
std::vector<int64_t> elements_to_check(const Prefill& prefill, std::string_view tensor,
                                       int64_t want, TensorKey choice);
std::vector<Expected> expected(const Prefill& prefill, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
