#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// What a call costs: `ops` additions on arrays so small that the arithmetic takes no time, each
// needing the one before, submitted one by one and then waited for once:
//   y = x + x, then y = y + x, ops - 1 times; 64 elements, f32
// Over several `ops` the time follows a + b·ops: a for submitting and waiting, b for each call.
// The wait belongs to the op, whatever the timing of the row.
struct Dispatch {
  int64_t ops = 0;

  static constexpr std::string_view kind = "dispatch";
  static constexpr std::string_view about =
      "cost of a call: tiny additions, submitted and waited for";
  static constexpr int64_t elements = 64;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("ops", self.ops, "calls per submission");
  }

  bool operator==(const Dispatch&) const = default;
};

Result<void> validate(const Dispatch& dispatch);
std::string work_key(const Dispatch& dispatch);   // "dispatch/16"
std::string operation(const Dispatch& dispatch);  // "add"
Cost cost(const Dispatch& dispatch, const Settings& settings);
std::vector<TensorSpec> tensors(const Dispatch& dispatch);  // x, y
std::vector<int64_t> elements_to_check(const Dispatch& dispatch, std::string_view tensor,
                                       int64_t want, TensorKey choice);
std::vector<Expected> expected(const Dispatch& dispatch, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
