#include "workload/kinds/decode.h"
#include "workload/kinds/prefill.h"

// What the logits of a model must be.

namespace ridge {

std::vector<int64_t> elements_to_check(const Prefill&, std::string_view, int64_t, TensorKey) {
  return {};
}
std::vector<Expected> expected(const Prefill&, const InputSource&, std::string_view,
                               std::span<const int64_t>) {
  return {};
}
std::vector<int64_t> elements_to_check(const Decode&, std::string_view, int64_t, TensorKey) {
  return {};
}
std::vector<Expected> expected(const Decode&, const InputSource&, std::string_view,
                               std::span<const int64_t>) {
  return {};
}

}  // namespace ridge
