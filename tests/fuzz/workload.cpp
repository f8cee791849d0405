// Any JSON as work, and as settings: what is taken can be written, keyed, costed and checked.

#include "workload/workload.h"

#include <cmath>

#include "fuzz.h"

using namespace ridge;
using fuzz::require;

namespace {

void check_elements(const Workload& work, const TensorSpec& spec) {
  constexpr int64_t kWant = 16;
  const TensorKey choice = tensor_key(1, 2, 3, "elements");
  const auto elements = elements_to_check(work, spec.name, kWant, choice);
  if (spec.role != TensorSpec::Role::output) return;
  // Few are asked for here, as after timing: gradients of keys are looked at where that is cheap.
  const bool dear = std::holds_alternative<Attention>(work) && spec.name.starts_with("grad_");
  require(dear || !elements.empty(), "an output has elements to check", work_key(work));
  int64_t last = -1;
  for (const int64_t element : elements) {
    require(element > last && element < spec.elements(), "they exist, in order", work_key(work));
    last = element;
  }
  const Cost c = cost(work, {});
  if (c.model_flops > 1e6 || c.footprint > 1e6) return;
  const auto answers = expected(work, {1, 2, 3}, spec.name, elements);
  require(answers.size() == elements.size(), "every element has an answer", work_key(work));
  for (const Expected& answer : answers) {
    require(std::isfinite(answer.value) && answer.tolerance >= 0, "which is a number");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto json = Json::parse(fuzz::text_of(data, size));
  if (!json) return 0;
  if (auto settings = parse_settings(*json, "settings")) {
    fuzz::comes_back(
        *settings, [](const Json& j) { return parse_settings(j, "settings"); },
        [](const Settings& s) { return to_json(s); });
    require(!settings_key(*settings).empty(), "settings have a key");
  }
  auto work = parse_workload(*json, "work");
  if (!work) return 0;
  fuzz::comes_back(
      *work, [](const Json& j) { return parse_workload(j, "work"); },
      [](const Workload& w) { return to_json(w); });
  const std::string key = work_key(*work);
  for (const char c : key) require(c > ' ' && c < 127 && c != '@', "a key is plain", key);
  const Cost c = cost(*work, {});
  for (const double part : {c.model_flops, c.executed_flops, c.bytes_read, c.bytes_written,
                            c.bytes_write_allocate, c.footprint}) {
    require(part >= 0 && std::isfinite(part), "costs are numbers", key);
  }
  const bool has_rate = c.rate_unit != RateUnit::none;
  require(!has_rate || (c.footprint > 0 && c.rate_work() > 0), "work costs something", key);
  for (const TensorSpec& spec : tensors(*work)) {
    require(spec.elements() > 0 && spec.bytes() > 0, "a tensor holds something", key);
    check_elements(*work, spec);
  }
  return 0;
}
