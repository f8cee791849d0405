#include <fmt/format.h>

#include "store/row.h"

namespace ridge {
namespace {

template <class T>
Json list(const std::vector<T>& values) {
  Json::Array out;
  for (const T& value : values) out.emplace_back(value);
  return out;
}

// One list of the summary's members for writing and reading; the unit stands in the name.
template <class Time, class Visit>
void time_fields(Time& time, Visit&& visit) {
  visit("median_ns", time.median_ns);
  visit("ci_low_ns", time.ci_low_ns);
  visit("ci_high_ns", time.ci_high_ns);
  visit("n", time.n);
  visit("rounds", time.rounds);
  visit("ops_per_sample", time.ops_per_sample);
  visit("round_medians_ns", time.round_medians_ns);
  visit("min_ns", time.min_ns);
  visit("q1_ns", time.q1_ns);
  visit("q3_ns", time.q3_ns);
  visit("p90_ns", time.p90_ns);
  visit("p95_ns", time.p95_ns);
  visit("p99_ns", time.p99_ns);
  visit("max_ns", time.max_ns);
  visit("mad_ns", time.mad_ns);
  visit("robust_cv", time.robust_cv);
  visit("autocorrelation", time.autocorrelation);
  visit("n_eff", time.n_eff);
  visit("outliers_mild", time.outliers_mild);
  visit("outliers_severe", time.outliers_severe);
  visit("drift_percent", time.drift_percent);
  visit("drift_ci_low_percent", time.drift_ci_low_percent);
  visit("drift_ci_high_percent", time.drift_ci_high_percent);
  visit("mode_low_ns", time.mode_low_ns);
  visit("mode_high_ns", time.mode_high_ns);
  visit("first_call_ns", time.first_call_ns);
  visit("prepare_ns", time.prepare_ns);
  visit("warmup_s", time.warmup_s);
  visit("warmup_samples", time.warmup_samples);
}

template <class Cost, class Visit>
void cost_fields(Cost& cost, Visit&& visit) {
  visit("model_flops", cost.model_flops);
  visit("executed_flops", cost.executed_flops);
  visit("bytes_read", cost.bytes_read);
  visit("bytes_written", cost.bytes_written);
  visit("bytes_write_allocate", cost.bytes_write_allocate);
  visit("count", cost.count);
  visit("footprint_bytes", cost.footprint);
}

template <class Telemetry, class Visit>
void telemetry_fields(Telemetry& telemetry, Visit&& visit) {
  visit("readings", telemetry.readings);
  visit("clock_median_mhz", telemetry.clock_median_mhz);
  visit("clock_min_mhz", telemetry.clock_min_mhz);
  visit("clock_max_mhz", telemetry.clock_max_mhz);
  visit("temperature_max_celsius", telemetry.temperature_max_celsius);
  visit("steal_percent", telemetry.steal_percent);
  visit("load1_max", telemetry.load1_max);
  visit("throttle_events", telemetry.throttle_events);
  visit("energy_j_per_op", telemetry.energy_j_per_op);
}

Json as_json(const std::vector<double>& values) { return list(values); }
template <class T>
Json as_json(const T& value) {
  return Json(value);
}

// A member that says which value it holds, from a list of names.
template <class Enum>
void read_name(Fields& fields, std::string_view key, Enum& out,
               std::optional<Enum> (*parse)(std::string_view)) {
  std::string text;
  fields.required(key, text);
  if (const auto value = parse(text)) {
    out = *value;
  } else if (!text.empty()) {
    fields.fail(key, fmt::format("is '{}', which this version does not know", text));
  }
}

std::optional<CheckOutcome::Verdict> parse_verdict(std::string_view text) {
  for (const auto verdict : {CheckOutcome::Verdict::passed, CheckOutcome::Verdict::wrong,
                             CheckOutcome::Verdict::not_run}) {
    if (name(verdict) == text) return verdict;
  }
  return std::nullopt;
}

}  // namespace

Json to_json(const Row& row) {
  Json time = Json::object(), cost = Json::object(), rate = Json::object();
  time_fields(row.time, [&](std::string_view key, const auto& v) { time.set(key, as_json(v)); });
  cost_fields(row.cost, [&](std::string_view key, const auto& v) { cost.set(key, as_json(v)); });
  rate.set("value", row.rate.value).set("ci_low", row.rate.ci_low);
  rate.set("ci_high", row.rate.ci_high).set("unit", name(row.rate.unit));
  Json check = Json::object();
  check.set("status", name(row.check.verdict)).set("elements", row.check.elements);
  check.set("worst_error_over_tolerance", row.check.worst);
  if (!row.check.detail.empty()) check.set("detail", row.check.detail);
  if (!row.check.against.empty()) check.set("against", row.check.against);
  Json telemetry = Json::object();
  telemetry_fields(row.telemetry,
                   [&](std::string_view key, const auto& v) { telemetry.set(key, as_json(v)); });
  const std::string& energy_from = row.telemetry.energy_from;
  telemetry.set("energy_from", energy_from.empty() ? Json() : Json(energy_from));
  Json flags = Json::array();
  for (const Flag flag : row.flags) flags.push(text_of(flag).name);

  Json json = Json::object();
  json.set("type", "row").set("key", row.key()).set("row_key", row.row_key());
  json.set("workload", to_json(row.work)).set("settings", to_json(row.settings));
  json.set("worker", row.worker).set("device", row.device).set("status", name(row.status));
  json.set("reason", row.reason.empty() ? Json() : Json(row.reason));
  json.set("time", std::move(time)).set("rate", std::move(rate)).set("cost", std::move(cost));
  if (!row.values.empty()) json.set("values", to_json(row.values));
  json.set("check", std::move(check)).set("telemetry", std::move(telemetry));
  json.set("flags", std::move(flags));
  json.set("kernel", row.kernel).set("executed_dtype", row.executed_dtype);
  json.set("copies", row.copies).set("bytes_held", row.bytes_held);
  json.set("bytes_peak", row.bytes_peak).set("notes", list(row.notes));
  if (!row.stderr_tail.empty()) json.set("stderr_tail", list(row.stderr_tail));
  return json;
}

Result<Row> parse_row(const Json& json, const std::string& where) {
  Row row;
  static const Json kNone = Json::object();
  const Json *work = nullptr, *settings = nullptr, *time = nullptr, *rate = nullptr,
             *cost = nullptr, *check = nullptr, *telemetry = &kNone;
  std::vector<std::string> flags;
  Fields fields(json, where);
  fields.required("workload", work).required("settings", settings);
  fields.required("worker", row.worker).required("device", row.device);
  read_name(fields, "status", row.status, parse_status);
  fields.optional("reason", row.reason).optional("stderr_tail", row.stderr_tail);
  fields.required("time", time).required("rate", rate).required("cost", cost);
  fields.required("check", check)
      .optional("telemetry", telemetry)
      .optional("flags", flags)
      .optional("kernel", row.kernel);
  fields.optional("executed_dtype", row.executed_dtype).optional("copies", row.copies);
  fields.optional("bytes_held", row.bytes_held).optional("bytes_peak", row.bytes_peak);
  fields.optional("notes", row.notes);
  constexpr auto allow = Fields::Unknown::allow;
  if (auto done = fields.done(allow); !done) return done.error();

  auto parsed_work = parse_workload(*work, where + ": workload");
  if (!parsed_work) return parsed_work.error();
  row.work = *parsed_work;
  auto values = parse_values(json.find("values"), where + ": values");
  if (!values) return values.error();
  row.values = *std::move(values);
  auto parsed_settings = parse_settings(*settings, where + ": settings");
  if (!parsed_settings) return parsed_settings.error();
  row.settings = *parsed_settings;

  Fields time_members(*time, where + ": time"), cost_members(*cost, where + ": cost");
  time_fields(row.time, [&](std::string_view key, auto& v) { time_members.optional(key, v); });
  cost_fields(row.cost, [&](std::string_view key, auto& v) { cost_members.optional(key, v); });
  Fields rate_members(*rate, where + ": rate"), check_members(*check, where + ": check");
  rate_members.optional("value", row.rate.value).optional("ci_low", row.rate.ci_low);
  rate_members.optional("ci_high", row.rate.ci_high);
  read_name(rate_members, "unit", row.rate.unit, parse_rate_unit);
  row.cost.rate_unit = row.rate.unit;
  read_name(check_members, "status", row.check.verdict, parse_verdict);
  check_members.optional("elements", row.check.elements)
      .optional("worst_error_over_tolerance", row.check.worst)
      .optional("detail", row.check.detail)
      .optional("against", row.check.against);
  Fields told(*telemetry, where + ": telemetry");
  telemetry_fields(row.telemetry, [&](std::string_view key, auto& v) { told.optional(key, v); });
  told.optional("energy_from", row.telemetry.energy_from);
  for (const Fields* members :
       {&time_members, &cost_members, &rate_members, &check_members, &told}) {
    if (auto done = members->done(allow); !done) return done.error();
  }
  for (const std::string& text : flags) {
    if (const auto flag = parse_flag(text)) row.add(*flag);  // a later version may know more
  }
  return row;
}

}  // namespace ridge
