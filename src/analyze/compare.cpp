#include "analyze/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analyze/live.h"
#include "stats/quantile.h"

namespace ridge {
namespace {

constexpr size_t kLeastLaunches = 3;
constexpr double kRowOverCanary = 1.5;  // a row may drift half as much again as its canary does

// What a side's rows say together: the times of its launches, and one time.
struct SideTimes {
  std::vector<double> launches;  // ns; whole runs where there are three, else their rounds
  double ns = 0;
};

std::optional<SideTimes> times_of(const std::vector<Member>& members) {
  SideTimes out;
  std::vector<double> runs, rounds;
  for (const Member& m : members) {
    if (!m.row->time.median_ns || *m.row->time.median_ns <= 0) continue;
    runs.push_back(*m.row->time.median_ns);
    const auto& medians = m.row->time.round_medians_ns;
    rounds.insert(rounds.end(), medians.begin(), medians.end());
  }
  if (runs.empty()) return std::nullopt;
  double sum = 0;
  for (const double ns : runs) sum += std::log(ns);
  out.ns = std::exp(sum / static_cast<double>(runs.size()));
  out.launches = runs.size() >= kLeastLaunches ? runs : rounds;
  return out;
}

// What a run's canaries of one sort showed: their median, and half their range as a part of it.
struct Canaries {
  double median = 0;  // 0: the run has too few
  double spread = 0;
};

Canaries canaries_of(const Run& run, bool product) {
  std::vector<double> medians;
  for (const Canary& canary : run.canaries) {
    if (canary.key.starts_with("gemm/") == product) medians.push_back(canary.median_ns);
  }
  if (medians.size() < 3) return {};
  const auto [low, high] = std::minmax_element(medians.begin(), medians.end());
  const double median = *stats::median(medians);
  return {median, (*high - *low) / 2 / median};
}

// The noise of machines between two sides' runs, each run's canaries looked through once.
class Noise {
 public:
  // `alike`: nothing is meant to differ, so a canary that moved between them is noise, too.
  double between(const std::vector<Member>& a, const std::vector<Member>& b, bool product,
                 bool alike) {
    double most = 0;
    for (const auto* side : {&a, &b}) {
      for (const Member& m : *side) most = std::max(most, of(*m.run, product).spread);
    }
    const Canaries &x = of(*a.back().run, product), &y = of(*b.back().run, product);
    if (alike && x.median > 0 && y.median > 0) {
      most = std::max(most, std::expm1(kRowOverCanary * std::abs(std::log(x.median / y.median))));
    }
    return most;
  }

 private:
  const Canaries& of(const Run& run, bool product) {
    const auto [at, added] = seen_.try_emplace({&run, product});
    if (added) at->second = canaries_of(run, product);
    return at->second;
  }
  std::map<std::pair<const Run*, bool>, Canaries> seen_;
};

std::string why_not(const std::vector<Member>& members) {
  if (members.empty()) return "not measured";
  const Row& row = *members.back().row;
  if (row.status != Status::ok) return fmt::format("{}: {}", name(row.status), row.reason);
  return "no time";
}

bool all_ok(const std::vector<Member>& members) {
  return !members.empty() && std::all_of(members.begin(), members.end(), [](const Member& m) {
    return m.row->status == Status::ok;
  });
}

// Why the two rows cannot be held against each other; empty: they can.
std::string refusal(const Sides& sides, const std::vector<Member>& a, const std::vector<Member>& b,
                    size_t side, std::span<const Across> across) {
  for (const auto* members : {&a, &b}) {
    if (!all_ok(*members)) {
      return fmt::format("{}: {}", sides.labels[members == &a ? 0 : side], why_not(*members));
    }
    for (const Member& m : *members) {
      if (const auto what = differs(members->front(), m, {}); !what.empty()) {
        return fmt::format("{}: within the side, {}", sides.labels[members == &a ? 0 : side], what);
      }
    }
  }
  return differs(a.back(), b.back(), across);
}

std::string bound_of(const std::optional<Limit>& limit) {
  if (!limit) return "no roof";
  if (limit->share < kBoundFrom) return "no limit";
  return std::string(name(limit->kind));
}

std::vector<BoundGroup> bound_groups(const std::vector<Pair>& pairs) {
  std::map<std::pair<size_t, std::string>, std::vector<double>> ratios;
  for (const Pair& pair : pairs) {
    const std::string bound = bound_of(pair.a_limit);
    if (pair.ratio && bound == bound_of(pair.b_limit)) {
      ratios[{pair.side, bound}].push_back(*pair.ratio);
    }
  }
  std::vector<BoundGroup> out;
  for (const auto& [key, list] : ratios) {
    double logs = 0;
    for (const double ratio : list) logs += std::log(ratio);
    const auto [least, most] = std::minmax_element(list.begin(), list.end());
    out.push_back({key.first, key.second, list.size(),
                   std::exp(logs / static_cast<double>(list.size())), *least, *most});
  }
  return out;
}

}  // namespace

std::map<std::string, Roofline> rooflines(const std::vector<Given>& given) {
  std::map<std::string, std::vector<const Run*>> runs;
  for (const Given& one : given) {
    for (const Run& run : one.runs) runs[run.header.machine_key].push_back(&run);
  }
  std::map<std::string, Roofline> out;
  for (const auto& [machine, list] : runs) out.emplace(machine, roofline(list));
  return out;
}

Comparison compare(const Sides& sides, std::span<const Across> across,
                   const std::map<std::string, Roofline>& roofs_by_machine,
                   const stats::SpeedRule& rule) {
  Comparison out{sides.labels, {across.begin(), across.end()}, {}, {}, {}};
  Noise noise;
  const auto limit_of = [&](const Member& m) -> std::optional<Limit> {
    const auto at = roofs_by_machine.find(m.run->header.machine_key);
    if (at == roofs_by_machine.end()) return std::nullopt;
    const Placement placement = place(at->second, *m.run, *m.row);
    if (placement.limits.empty()) return std::nullopt;
    return placement.limits.front();
  };

  std::set<std::string> remarked;
  std::set<std::pair<const Run*, const Run*>> seen;
  std::vector<double> p_values;
  for (const Group& group : sides.groups) {
    const auto& a = group.of_side[0];
    for (size_t side = 1; side < group.of_side.size(); ++side) {
      const auto& b = group.of_side[side];
      if (a.empty() && b.empty()) continue;
      Pair pair;
      pair.key = group.key;
      pair.side = side;
      if (!a.empty()) pair.a = a.back();
      if (!b.empty()) pair.b = b.back();
      pair.refused = refusal(sides, a, b, side, across);
      const auto x = times_of(a), y = times_of(b);
      if (pair.refused.empty() && (!x || !y)) {
        pair.refused = fmt::format("{}: no time", sides.labels[x ? side : 0]);
      }
      if (x) pair.a_ns = x->ns;
      if (y) pair.b_ns = y->ns;
      if (!pair.refused.empty()) {
        out.pairs.push_back(std::move(pair));
        continue;
      }
      if (seen.emplace(pair.a.run, pair.b.run).second && pair.a.run != pair.b.run) {
        for (const std::string& remark : remarks(*pair.a.run, *pair.b.run)) {
          if (remarked.insert(remark).second) out.remarks.push_back(remark);
        }
      }
      pair.ratio = x->ns / y->ns;
      pair.a_limit = limit_of(pair.a);
      pair.b_limit = limit_of(pair.b);
      if (pair.a_limit && pair.b_limit) {
        pair.predicted = pair.a_limit->floor_ns / pair.b_limit->floor_ns;
      }
      // Apart in time only where they come from different runs.
      const bool product =
          pair.a.row->rate.unit == RateUnit::flop_per_s && bound_of(pair.a_limit) != "memory";
      const bool live =
          a.size() == 1 && b.size() == 1 && in_turn(pair.a.run->header, pair.b.run->header);
      if (pair.a.run != pair.b.run && !live) {
        pair.noise = noise.between(a, b, product, differs(pair.a, pair.b, {}).empty());
      }
      pair.speedup = live ? live_speedup(*pair.a.row, *pair.b.row)
                          : stats::independent_speedup(x->launches, y->launches);
      if (!pair.speedup) {
        pair.note = live ? "fewer than 3 rounds" : "one run";
      } else {
        pair.ratio = pair.speedup->ratio.value;
      }
      out.pairs.push_back(std::move(pair));
    }
  }
  for (const Pair& pair : out.pairs) {
    if (pair.speedup) p_values.push_back(pair.speedup->p_value);
  }
  const std::vector<double> adjusted = stats::holm(p_values);
  size_t next = 0;
  for (Pair& pair : out.pairs) {
    if (!pair.speedup) continue;
    pair.adjusted_p = adjusted[next++];
    stats::SpeedRule own = rule;
    own.least_band = std::clamp(pair.noise, rule.least_band, rule.most_band);
    pair.band = stats::band(*pair.speedup, own);
    pair.verdict = stats::judge(*pair.speedup, pair.adjusted_p, pair.band, own);
    if (pair.verdict == stats::SpeedVerdict::unclear && pair.adjusted_p < rule.level) {
      pair.note = "within the machine's own noise";
    }
  }
  out.means = bound_groups(out.pairs);
  return out;
}

}  // namespace ridge
