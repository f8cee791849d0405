#include "workload/model/twin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ridge {
namespace {

constexpr double kEightBits = 0.01;  // blocks of 32 or 256, and values of unequal size in them

// Of a product, relative to it.
double rounding_of(const ModelUse& use) {
  const std::string format = format_name(use);
  // Products of f32 may be TF32's; sums of f16 may be rounded after each 16 terms.
  if (format == "f32") return unit_roundoff(DType::f16);
  if (format == "bf16") return unit_roundoff(DType::bf16);
  if (format != "f16") return kEightBits;
  const double terms = static_cast<double>(use.model.hidden_size) / 16;
  return unit_roundoff(DType::f16) * std::sqrt(1 + terms / 4);
}
// Flash attention adds values up in f16 where the cache is f16 or f32, one after the other in
// decoding: 300 of them make 10 times the error of a few.
double rounding_of(KvFormat kv, int64_t context) {
  switch (kv) {
    case KvFormat::f32:
    case KvFormat::f16:
      return unit_roundoff(DType::f16) * std::sqrt(1 + static_cast<double>(context) / 64);
    case KvFormat::bf16: return unit_roundoff(DType::bf16);
    case KvFormat::q8_0: break;
  }
  return kEightBits;
}

}  // namespace

std::optional<Workload> twin(const Workload& work) {
  if (const auto* prefill = std::get_if<Prefill>(&work)) {
    Decode decode{.use = prefill->use, .tokens = 1};
    decode.use.depth += prefill->tokens - 1;
    return decode;
  }
  if (const auto* decode = std::get_if<Decode>(&work)) {
    Prefill prefill{.use = decode->use, .tokens = decode->use.depth + decode->tokens};
    prefill.use.depth = 0;
    return prefill;
  }
  if (const auto* load = std::get_if<LoadModel>(&work)) return twin(prompt_of(*load));
  return std::nullopt;
}

std::optional<int64_t> twin_element(const Workload& work, int64_t element) {
  const auto* prefill = std::get_if<Prefill>(&work);
  if (!prefill || prefill->logits == Prefill::Logits::last) return element;
  const int64_t vocab = prefill->use.model.vocab_size, row = element / vocab;
  if (row % prefill->tokens != prefill->tokens - 1) return std::nullopt;
  return row / prefill->tokens * vocab + element % vocab;
}

std::string twin_in_words(const Workload& work) {
  const auto other = twin(work);
  if (!other) return "";
  if (const auto* prefill = std::get_if<Prefill>(&*other)) {
    return fmt::format("prefill of {} token{}", prefill->tokens, prefill->tokens == 1 ? "" : "s");
  }
  return fmt::format("decode of a token after {}", model_use(*other)->depth);
}

double twin_tolerance(const Workload& work) {
  const ModelUse& use = *model_use(work);
  // A layer has four roundings in a row that its output depends on.
  const double roundings = 4 * static_cast<double>(use.model.num_hidden_layers);
  const double one = std::hypot(rounding_of(use), rounding_of(use.kv, context_of(work)));
  // A router that stands between two experts may choose either, in some layer or other.
  const double experts = use.model.is_moe() ? 0.3 : 0;
  return std::min(0.5, 4 * one * std::sqrt(roundings) + experts);
}

}  // namespace ridge
