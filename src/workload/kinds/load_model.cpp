#include "workload/kinds/load_model.h"

#include <fmt/format.h>

namespace ridge {

Result<void> validate(const LoadModel& load) { return validate(load.use, load.tokens, load.kind); }

std::string work_key(const LoadModel& load) {
  return fmt::format("load_model/{}/pp{}", use_key(load.use), load.tokens);
}

std::string test_name(const LoadModel& load) { return fmt::format("load+pp{}", load.tokens); }

std::string operation(const LoadModel& load) { return format_name(load.use); }

Cost cost(const LoadModel& load, const Settings& settings) {
  Cost cost = ridge::cost(prompt_of(load), settings);
  cost.bytes_read = static_cast<double>(weight_bytes_of(load.use));
  cost.bytes_written = 0;
  cost.count = 0;
  cost.rate_unit = RateUnit::byte_per_s;
  return cost;
}

std::vector<TensorSpec> tensors(const LoadModel& load) { return tensors(prompt_of(load)); }

std::vector<int64_t> elements_to_check(const LoadModel& load, std::string_view tensor, int64_t want,
                                       TensorKey choice) {
  return elements_to_check(prompt_of(load), tensor, want, choice);
}

std::vector<Expected> expected(const LoadModel& load, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  return expected(prompt_of(load), inputs, tensor, elements);
}

}  // namespace ridge
