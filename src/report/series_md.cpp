#include "report/series_md.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyze/series.h"
#include "base/units.h"
#include "report/system_caches.h"
#include "report/table.h"

namespace ridge {
namespace {

constexpr double kAgrees = 1.5;  // a cache found within this factor of its size is that cache

std::string with_interval(double ns, const std::optional<stats::Interval>& interval) {
  return interval ? fmt::format("{} (95 % {} to {})", show_time(ns), show_time(interval->lo),
                                show_time(interval->hi))
                  : show_time(ns);
}

std::string submission_text(const stats::Line& line) {
  if (line.a_interval && line.a_interval->lo <= 0) {
    return fmt::format("nothing to be seen (95 % below {})",
                       show_time(std::max(0.0, line.a_interval->hi)));
  }
  return with_interval(line.a, line.a_interval);
}

std::string calls_text(const CallCost& cost) {
  const std::string who = fmt::format("{}:{} {}", cost.worker, cost.device, cost.settings);
  switch (cost.line.verdict) {
    case stats::LineVerdict::fits:
      return fmt::format("- {}: {} to submit and wait, {} a call\n", who,
                         submission_text(cost.line),
                         with_interval(cost.line.b, cost.line.b_interval));
    case stats::LineVerdict::few_rounds: return fmt::format("- {}: fewer than three rounds\n", who);
    case stats::LineVerdict::few_points:
      return fmt::format("- {}: fewer than four numbers of calls\n", who);
    case stats::LineVerdict::bad_input: return fmt::format("- {}: not comparable\n", who);
    case stats::LineVerdict::not_a_line: break;
  }
  return fmt::format(
      "- {}: time does not grow by the same for each call ({:+.0f} % at {:.0f} calls); "
      "roughly {} a call\n",
      who, 100 * cost.line.worst_misfit, cost.line.worst_k, show_time(cost.line.b));
}

double nearness(double x, double y) { return std::fabs(std::log(x / y)); }

std::string level_text(const CacheCurve& curve, double value) {
  return curve.op == WorkingSet::Op::chase ? show_time(value)
                                           : show_rate(1e9 / value, RateUnit::byte_per_s);
}

std::string size_text(double bytes) { return show_bytes(std::llround(bytes / 1024) * 1024); }

// A line for each level: what it costs, where it ends, and which cache the system has of that size.
void add_curve(const CacheCurve& curve, const std::vector<SystemCache>& caches, Table& table) {
  const std::string what =
      fmt::format("{} {}:{} {}", name(curve.op), curve.worker, curve.device, curve.settings);
  if (!curve.cliffs) {
    table.add({what, "–", "too few sizes to tell", "–", ""});
    return;
  }
  const auto& cliffs = curve.cliffs->cliffs;
  if (cliffs.empty()) table.add({what, "–", "no cliff: a smooth line fits as well", "–", ""});
  std::vector<bool> found(caches.size());
  for (const stats::Cliff& cliff : cliffs) {
    std::string which = "none of that size";
    double nearest = std::log(kAgrees);
    for (size_t i = 0; i < caches.size(); ++i) {
      const double distance = nearness(cliff.capacity.value, caches[i].bytes);
      if (distance > std::log(kAgrees)) continue;
      found[i] = true;
      if (distance > nearest) continue;
      nearest = distance;
      which = fmt::format("{}, {}", caches[i].name, size_text(caches[i].bytes));
    }
    table.add(
        {what, level_text(curve, cliff.before),
         fmt::format("{} (95 % {} to {})", size_text(cliff.capacity.value),
                     size_text(cliff.capacity.interval.lo), size_text(cliff.capacity.interval.hi)),
         which, fmt::format("×{:.1f}", cliff.ratio())});
  }
  if (!cliffs.empty()) {
    table.add({what, level_text(curve, cliffs.back().after), "beyond", "", ""});
  }
  const double least = curve.bytes.front(), most = curve.bytes.back();
  for (size_t i = 0; i < caches.size(); ++i) {
    if (found[i] || caches[i].bytes < 2 * least || caches[i].bytes > most / 2) continue;
    const auto nearest = std::min_element(cliffs.begin(), cliffs.end(),
                                          [&](const stats::Cliff& x, const stats::Cliff& y) {
                                            return nearness(x.capacity.value, caches[i].bytes) <
                                                   nearness(y.capacity.value, caches[i].bytes);
                                          });
    table.add({what, "–", "not found",
               fmt::format("{}, {}", caches[i].name, size_text(caches[i].bytes)),
               nearest == cliffs.end() ? "no step stands out of the noise"
                                       : fmt::format("nearest step at {}: perhaps shared with "
                                                     "others, or hidden by the reach of a TLB",
                                                     size_text(nearest->capacity.value))});
  }
}

}  // namespace

std::string series_text(const Run& run) {
  std::string out;
  const auto costs = call_costs(run.rows);
  if (!costs.empty()) out += "\nCost of a call\n\n";
  for (const CallCost& cost : costs) out += calls_text(cost);
  const auto curves = cache_curves(run.rows);
  if (!curves.empty()) {
    Table table({"walk", "level", "ends at", "the system's cache", "then"},
                {false, true, false, false, true});
    const auto caches = system_caches(run.header.machine);
    for (const CacheCurve& curve : curves) add_curve(curve, caches, table);
    out += "\nCaches\n\n" + table.markdown();
  }
  return out;
}

}  // namespace ridge
