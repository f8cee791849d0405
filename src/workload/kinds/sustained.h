#pragma once

#include <string>
#include <string_view>

#include "workload/kinds/gemm.h"

namespace ridge {

// A product again and again for `seconds` without a pause: what the machine does at first (burst)
// and what it keeps up (sustained), when power and heat have their say. Measured in one piece.
struct Sustained {
  Gemm gemm;
  int64_t seconds = 0;

  static constexpr std::string_view kind = "sustained";
  static constexpr std::string_view about = "a product for many seconds: burst and sustained rate";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    Gemm::fields(self.gemm, visit);
    visit("seconds", self.seconds, "how long");
  }

  bool operator==(const Sustained&) const = default;
};

Result<void> validate(const Sustained& sustained);
std::string work_key(const Sustained& sustained);  // "sustained/60s/bf16/4096x4096x4096"
// As gemm's, of one product.
inline std::string operation(const Sustained& s) { return operation(s.gemm); }
inline Cost cost(const Sustained& s, const Settings& settings) { return cost(s.gemm, settings); }
inline std::vector<TensorSpec> tensors(const Sustained& s) { return tensors(s.gemm); }
inline std::vector<int64_t> elements_to_check(const Sustained& s, std::string_view tensor,
                                              int64_t want, TensorKey choice) {
  return elements_to_check(s.gemm, tensor, want, choice);
}
inline std::vector<Expected> expected(const Sustained& s, const InputSource& inputs,
                                      std::string_view tensor, std::span<const int64_t> elements) {
  return expected(s.gemm, inputs, tensor, elements);
}

}  // namespace ridge
