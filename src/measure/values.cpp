#include "measure/values.h"

#include <algorithm>

#include "stats/quantile.h"
#include "stats/sustained.h"

namespace ridge {
namespace {

constexpr double kWindows = 120;  // that a sustained run is cut into
constexpr double kLeastWindow = 0.1;

std::vector<Value> sustained_values(const Sustained& work, const Cost& cost,
                                    const RoundOutcome& round) {
  // A window holds several samples, or it says nothing of its time.
  double sample_s = 0;
  for (const double ns : round.ns)
    sample_s += ns * static_cast<double>(round.ops_per_sample) * 1e-9;
  sample_s /= static_cast<double>(std::max<size_t>(1, round.ns.size()));
  const double width =
      std::max({static_cast<double>(work.seconds) / kWindows, kLeastWindow, 3 * sample_s});
  const auto found = stats::sustained_rate(stats::rate_windows(
      round.start_ns, round.ns, static_cast<double>(round.ops_per_sample), width));
  if (!found) return {};
  const double flops = cost.model_flops;
  Value sustained{"sustained", found->sustained * flops, std::string(name(RateUnit::flop_per_s))};
  if (found->interval) {
    sustained.ci_low = found->interval->lo * flops;
    sustained.ci_high = found->interval->hi * flops;
  }
  std::vector<Value> values = {
      {"burst", found->burst * flops, std::string(name(RateUnit::flop_per_s))},
      sustained,
      {"sustained_over_burst", found->sustained / found->burst, "1"}};
  if (found->settled_after_s) values.push_back({"settled_after", *found->settled_after_s, "s"});
  return values;
}

// The median of what the rounds' workers told, of a value that all of them told.
std::vector<Value> told_values(const std::vector<KeptRound>& rounds) {
  std::vector<Value> values = rounds.back().outcome.values;
  if (rounds.size() == 1) return values;
  std::erase_if(values, [&](Value& value) {
    std::vector<double> all;
    for (const KeptRound& round : rounds) {
      for (const Value& other : round.outcome.values) {
        if (other.name == value.name) all.push_back(other.value);
      }
    }
    if (all.size() != rounds.size()) return true;
    value.value = *stats::median(all);
    value.ci_low = value.ci_high = std::nullopt;
    return false;
  });
  return values;
}

}  // namespace

std::vector<Value> values_of(const Workload& work, const Cost& cost,
                             const std::vector<KeptRound>& rounds) {
  if (rounds.empty()) return {};
  if (const auto* sustained = std::get_if<Sustained>(&work)) {
    return sustained_values(*sustained, cost, rounds.back().outcome);
  }
  return told_values(rounds);
}

}  // namespace ridge
