#include "workload/kinds/load.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace ridge {

Result<void> validate(const Load& load) {
  if (load.bytes < 4096 || load.bytes % 4096 != 0 || load.bytes > (int64_t{1} << 40)) {
    return Error{fmt::format(
        "load: bytes must be a multiple of 4096 between 4096 and 1 TiB, found {}", load.bytes)};
  }
  return {};
}

std::string work_key(const Load& load) { return "load/" + bytes_key(load.bytes); }

Cost cost(const Load& load, const Settings&) {
  Cost cost;
  cost.rate_unit = RateUnit::byte_per_s;
  cost.bytes_read = static_cast<double>(load.bytes);
  cost.footprint = 2 * cost.bytes_read;
  return cost;
}

std::vector<TensorSpec> tensors(const Load& load) {
  return {{"file", TensorSpec::Role::input, DType::int8, {load.bytes}},
          {"out", TensorSpec::Role::output, DType::int8, {load.bytes}}};
}

std::vector<int64_t> elements_to_check(const Load& load, std::string_view tensor, int64_t want,
                                       TensorKey choice) {
  if (tensor != "out") return {};
  std::vector<int64_t> elements = {0, load.bytes - 1};
  for (int64_t i = 0; i < want; ++i) {
    elements.push_back(
        static_cast<int64_t>(random_uniform(choice, i) * static_cast<double>(load.bytes)));
  }
  std::sort(elements.begin(), elements.end());
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  return elements;
}

std::vector<Expected> expected(const Load&, const InputSource& inputs, std::string_view tensor,
                               std::span<const int64_t> elements) {
  std::vector<Expected> out;
  if (tensor != "out") return out;
  const TensorKey key = inputs.key("file");
  for (const int64_t i : elements) out.push_back({random_element(key, DType::int8, 1.0, i), 0});
  return out;
}

}  // namespace ridge
