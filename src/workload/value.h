#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace ridge {

// A result that is no time: bytes that could be allocated, the rate kept up for a minute.
struct Value {
  std::string name;  // "largest_single"
  double value = 0;
  std::string unit;                       // "B", "FLOP/s", "s", "1"
  std::optional<double> ci_low, ci_high;  // 95 %, where there is one

  bool operator==(const Value&) const = default;
};

Json to_json(const std::vector<Value>& values);  // [{"name", "value", "unit", "ci": [low, high]}]
// Of an object's member `values`, which may be missing or null: then there are none.
Result<std::vector<Value>> parse_values(const Json* member, const std::string& where);

std::string show(const Value& value);  // "23.1 GiB", "451 GFLOPS", "2.1 s", "0.93"

}  // namespace ridge
