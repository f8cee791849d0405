#include "analyze/series.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace ridge {
namespace {

// Rows by what they share, in rising order of the number that they differ in.
struct Member {
  double at = 0;
  const Row* row = nullptr;
};
using GroupKey = std::tuple<std::string, std::string, std::string, int>;

template <class Kind, class Number, class Part>
std::map<GroupKey, std::vector<Member>> groups(const std::vector<Row>& rows, const Number& number,
                                               const Part& part) {
  std::map<GroupKey, std::vector<Member>> out;
  for (const Row& row : rows) {
    const auto* work = std::get_if<Kind>(&row.work);
    if (!work || row.status != Status::ok || !row.time.median_ns) continue;
    out[{row.worker, row.device, settings_key(row.settings), part(*work)}].push_back(
        {static_cast<double>(number(*work)), &row});
  }
  for (auto& [key, members] : out) {
    std::sort(members.begin(), members.end(),
              [](const Member& x, const Member& y) { return x.at < y.at; });
  }
  return out;
}

// The rounds' medians, by round: only rounds that every row has, as some rows get further ones.
std::vector<std::vector<double>> by_round(const std::vector<Member>& members) {
  size_t rounds = members.front().row->time.round_medians_ns.size();
  for (const Member& m : members) rounds = std::min(rounds, m.row->time.round_medians_ns.size());
  std::vector<std::vector<double>> out(rounds);
  for (const Member& m : members) {
    for (size_t r = 0; r < rounds; ++r) out[r].push_back(m.row->time.round_medians_ns[r]);
  }
  return out;
}

bool usable(double ns) { return std::isfinite(ns) && ns > 0; }

}  // namespace

std::vector<CallCost> call_costs(const std::vector<Row>& rows) {
  std::vector<CallCost> out;
  const auto calls = [](const Dispatch& work) { return work.ops; };
  for (const auto& [key, members] :
       groups<Dispatch>(rows, calls, [](const Dispatch&) { return 0; })) {
    if (members.size() < 2) continue;
    CallCost cost{std::get<0>(key), std::get<1>(key), std::get<2>(key), {}, {}};
    for (const Member& m : members) cost.calls.push_back(m.at);
    const auto rounds = by_round(members);
    cost.line = stats::fit_line(cost.calls, rounds);
    out.push_back(std::move(cost));
  }
  return out;
}

std::vector<CacheCurve> cache_curves(const std::vector<Row>& rows) {
  std::vector<CacheCurve> out;
  const auto size = [](const WorkingSet& set) { return set.bytes; };
  for (const auto& [key, members] : groups<WorkingSet>(
           rows, size, [](const WorkingSet& set) { return static_cast<int>(set.op); })) {
    CacheCurve curve{std::get<0>(key),
                     std::get<1>(key),
                     std::get<2>(key),
                     static_cast<WorkingSet::Op>(std::get<3>(key)),
                     {},
                     {},
                     {}};
    std::vector<stats::SweepPoint> points;
    for (const Member& m : members) {
      const double count = m.row->cost.rate_work(), ns = *m.row->time.median_ns / count;
      std::vector<double> medians = m.row->time.round_medians_ns;
      for (double& median : medians) median /= count;
      const stats::SweepPoint point = stats::sweep_point(m.at, medians);
      if (!usable(ns) || !usable(point.value)) continue;
      points.push_back(point);
      curve.bytes.push_back(m.at);
      curve.ns.push_back(ns);
    }
    if (points.empty()) continue;
    // A chase walks one ring again and again; a read goes through memory in order.
    const auto transition = curve.op == WorkingSet::Op::chase ? std::optional<stats::Transition>()
                                                              : stats::Transition::step;
    curve.cliffs = stats::find_cliffs(points, {.transition = transition});
    out.push_back(std::move(curve));
  }
  return out;
}

}  // namespace ridge
