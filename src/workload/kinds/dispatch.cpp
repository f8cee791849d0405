#include "workload/kinds/dispatch.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace ridge {
namespace {
constexpr int64_t kMostOps = 1 << 16;
}

Result<void> validate(const Dispatch& dispatch) {
  if (dispatch.ops < 1 || dispatch.ops > kMostOps) {
    return Error{
        fmt::format("dispatch: ops must lie in 1 to {}, found {}", kMostOps, dispatch.ops)};
  }
  return {};
}

std::string operation(const Dispatch&) { return "add"; }

std::string work_key(const Dispatch& dispatch) { return fmt::format("dispatch/{}", dispatch.ops); }

Cost cost(const Dispatch& dispatch, const Settings&) {
  const auto ops = static_cast<double>(dispatch.ops);
  const double array = 4.0 * Dispatch::elements;
  Cost cost;
  cost.rate_unit = RateUnit::call_per_s;
  cost.count = ops;
  cost.model_flops = cost.executed_flops = ops * Dispatch::elements;
  cost.bytes_read = array;
  cost.bytes_written = array;
  cost.footprint = 2 * array;
  return cost;
}

std::vector<TensorSpec> tensors(const Dispatch&) {
  using Role = TensorSpec::Role;
  return {{"x", Role::input, DType::f32, {Dispatch::elements}},
          {"y", Role::output, DType::f32, {Dispatch::elements}}};
}

std::vector<int64_t> elements_to_check(const Dispatch&, std::string_view tensor, int64_t,
                                       TensorKey) {
  if (tensor != "y") return {};
  std::vector<int64_t> all(Dispatch::elements);
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

std::vector<Expected> expected(const Dispatch& dispatch, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  if (tensor != "y") return {};
  std::vector<Expected> out;
  for (const int64_t i : elements) {
    // Each addition rounds to f32, which every IEEE machine does alike; half of a call left out is
    // the least that must be seen.
    const auto x = static_cast<float>(random_element(inputs.key("x"), DType::f32, 1.0, i));
    float y = x;
    for (int64_t op = 0; op < dispatch.ops; ++op) y += x;
    out.push_back({y, 0x1p-22 * std::fabs(y)});
  }
  return out;
}

}  // namespace ridge
