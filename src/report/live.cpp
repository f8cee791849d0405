#include "report/live.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "report/table.h"

namespace ridge {
namespace {

std::string show_key(const LiveRow& row) {
  return row.key_a == row.key_b ? row.key_a : fmt::format("{} → {}", row.key_a, row.key_b);
}

std::string show_side(std::optional<double> ns, const Rate& rate) {
  if (!ns) return "";
  const std::string time = show_time(*ns);
  return rate.value ? fmt::format("{} ({})", time, show_rate(*rate.value, rate.unit)) : time;
}

std::string who(const LiveReport::Side& side) {
  return fmt::format("{}: {}; kept in {}", side.label, fmt::join(side.workers, ", "), side.file);
}

Json optional(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json side_json(const LiveReport::Side& side) {
  Json workers = Json::array();
  for (const std::string& worker : side.workers) workers.push(worker);
  return Json::object()
      .set("label", side.label)
      .set("workers", std::move(workers))
      .set("file", side.file);
}

Json rate_json(const Rate& rate) {
  return Json::object().set("value", optional(rate.value)).set("unit", name(rate.unit));
}

Json row_json(const LiveRow& row) {
  Json json = Json::object();
  json.set("row_key_a", row.key_a).set("row_key_b", row.key_b);
  json.set("a_ns", optional(row.a_ns)).set("b_ns", optional(row.b_ns));
  json.set("rate_a", rate_json(row.rate_a)).set("rate_b", rate_json(row.rate_b));
  json.set("rounds", row.rounds).set("status", name(row.status));
  if (!row.speedup) return json.set("verdict", Json()).set("reason", row.reason);
  const auto& ratio = row.speedup->ratio;
  json.set("speedup", ratio.value)
      .set("ci_low", ratio.interval.lo)
      .set("ci_high", ratio.interval.hi);
  json.set("p_value", row.speedup->p_value).set("adjusted_p_value", row.adjusted_p);
  json.set("band", row.band).set("verdict", stats::name(row.verdict));
  return json;
}

}  // namespace

std::string live_md(const LiveReport& report) {
  Table table({"row", "A", "B", "speedup of B", "95 % interval", "verdict", "band"},
              {false, true, true, true, true, false, true});
  std::string without;
  std::optional<int64_t> least;  // whole rounds of what was measured at all
  for (const LiveRow& row : report.rows) {
    if (row.status == Status::ok) least = std::min(least.value_or(row.rounds), row.rounds);
    if (!row.speedup) {
      without += fmt::format("- {}: {}\n", show_key(row), row.reason);
      continue;
    }
    const auto& ratio = row.speedup->ratio;
    table.add({show_key(row), show_side(row.a_ns, row.rate_a), show_side(row.b_ns, row.rate_b),
               fmt::format("{:.3f}×", ratio.value),
               fmt::format("{:.3f} to {:.3f}", ratio.interval.lo, ratio.interval.hi),
               std::string(stats::name(row.verdict)), fmt::format("±{:.1f} %", 100 * row.band)});
  }
  std::string out = table.markdown();
  out += fmt::format(
      "\nThe sides were measured in turn, A B B A, then B A A B, {} rounds{}, each in fresh "
      "processes.\n"
      "The band is what counts as equally fast: 1.85 times the half-width of the interval, so what "
      "the\nnoise forces, at least {:g} % and at most {:g} %. SAME: the whole interval lies within "
      "it. "
      "FASTER, SLOWER:\nB against A, at {:g} % for all rows together (Holm). UNCLEAR: neither; "
      "more "
      "rounds or time may tell.\n\n",
      report.rounds,
      report.interrupted ? fmt::format(" asked for ({} whole)", least.value_or(0)) : "",
      100 * report.rule.least_band, 100 * report.rule.most_band, 100 * report.rule.level);
  out += fmt::format("- A: {}\n- B: {}\n", who(report.a), who(report.b));
  if (!without.empty()) out += "\nNot compared:\n" + without;
  return out;
}

std::string live_json(const LiveReport& report) {
  Json rows = Json::array();
  for (const LiveRow& row : report.rows) rows.push(row_json(row));
  Json schema = Json::object(), json = Json::object();
  schema.set("name", "ridgepoint-compare-live").set("version", "1.0.0");
  json.set("schema", std::move(schema));
  json.set("id", report.id).set("rounds", report.rounds).set("interrupted", report.interrupted);
  json.set("a", side_json(report.a)).set("b", side_json(report.b)).set("rows", std::move(rows));
  return json.dump() + "\n";
}

}  // namespace ridge
