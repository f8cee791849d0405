#include "workload/value.h"

#include <fmt/format.h>

#include <cmath>

#include "base/units.h"

namespace ridge {

Json to_json(const std::vector<Value>& values) {
  Json list = Json::array();
  for (const Value& v : values) {
    Json json = Json::object();
    json.set("name", v.name).set("value", v.value).set("unit", v.unit);
    if (v.ci_low && v.ci_high) json.set("ci", Json(Json::Array{Json(*v.ci_low), Json(*v.ci_high)}));
    list.push(std::move(json));
  }
  return list;
}

Result<std::vector<Value>> parse_values(const Json* member, const std::string& where) {
  std::vector<Value> values;
  if (!member || member->is_null()) return values;
  if (!member->is_array()) return Error{where + " must be an array"};
  for (const Json& entry : member->as_array()) {
    Value v;
    std::vector<double> ci;
    Fields fields(entry, fmt::format("{}[{}]", where, values.size()));
    fields.required("name", v.name).required("value", v.value).optional("unit", v.unit);
    fields.optional("ci", ci);
    if (!std::isfinite(v.value)) fields.fail("value", "must be a finite number");
    if (!ci.empty()) {
      if (ci.size() != 2 || !(ci[0] <= ci[1]))
        fields.fail("ci", "must be [low, high]");
      else
        v.ci_low = ci[0], v.ci_high = ci[1];
    }
    if (auto done = fields.done(Fields::Unknown::allow); !done) return done.error();
    values.push_back(std::move(v));
  }
  return values;
}

std::string show(const Value& v) {
  if (v.unit == "B") return show_bytes(std::llround(v.value));
  if (v.unit == "s") return v.value < 1 ? show_time(v.value * 1e9) : show_duration(v.value);
  if (const auto unit = parse_rate_unit(v.unit)) return show_rate(v.value, *unit);
  return fmt::format("{:.3g}{}{}", v.value, v.unit == "1" ? "" : " ", v.unit == "1" ? "" : v.unit);
}

}  // namespace ridge
