#include "stats/stopping.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "stats/modes.h"
#include "stats/quantile.h"

namespace ridge::stats {
namespace {

double seconds_of(std::span<const double> samples_ns, double ops_per_sample) {
  double ns = 0;
  for (const double value : samples_ns) ns += value;
  return ns * ops_per_sample * 1e-9;
}

// Where the time allowed for warm-up ends, for a round that never got steady.
int64_t end_of_warm_up(std::span<const double> samples_ns, double ops_per_sample, double seconds) {
  double passed = 0;
  int64_t first = 0;
  while (first < static_cast<int64_t>(samples_ns.size()) && passed < seconds) {
    passed += samples_ns[static_cast<size_t>(first++)] * ops_per_sample * 1e-9;
  }
  return first;
}

bool all_within(std::span<const double> samples, double target) {
  const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
  return *high - *low <= 2 * target * *median(samples);
}

// No decay is going on under the noise: the halves' medians agree as far as the noise lets them,
// and what they may still differ by, at its pace, would not amount to much over slowest_s.
bool no_slow_change(const StoppingRule& rule, std::span<const double> samples, double half_width,
                    double seconds) {
  const size_t half = samples.size() / 2;
  const double change =
      std::fabs(std::log(*median(samples.subspan(half)) / *median(samples.first(half))));
  if (change > std::max(1.5 * half_width, 0.05 * rule.target)) return false;
  return (change + half_width) * rule.slowest_s <= rule.target * (seconds / 2);
}

bool modes_tight(std::span<const double> samples, const Modes& modes, const StoppingRule& rule) {
  const double cut = std::sqrt(modes.fast.median * modes.slow.median);
  std::vector<double> parts[2];
  for (const double value : samples) parts[value >= cut].push_back(value);
  return std::all_of(std::begin(parts), std::end(parts), [&](const auto& part) {
    const auto interval = median_interval(part, rule.confidence);
    return interval && interval->width() <= 2 * rule.target * *median(part);
  });
}

int64_t check_after(const StoppingRule& rule, int64_t n, double sample_s) {
  if (n < rule.few_samples) return rule.few_samples;
  const int64_t step = sample_s >= rule.long_sample_s ? 1 : 10;
  return n + std::max(step, n / 8);
}

}  // namespace

StoppingRule StoppingRule::for_budget(double seconds, double target) {
  StoppingRule rule;
  rule.target = target;
  rule.most_s = seconds;
  rule.warm_up_s = std::min(10.0, 0.3 * seconds);
  return rule;
}

Decision decide(const StoppingRule& rule, std::span<const double> samples_ns, double ops_per_sample,
                double elapsed_s) {
  Decision decision;
  const auto n = static_cast<int64_t>(samples_ns.size());
  const double total_s = seconds_of(samples_ns, ops_per_sample);
  const double sample_s = n > 0 ? total_s / static_cast<double>(n) : 0;
  decision.next_check = check_after(rule, n, sample_s);
  if (elapsed_s >= rule.most_s) decision.verdict = Verdict::out_of_time;
  const bool last = decision.verdict == Verdict::out_of_time;
  if (n == 0 || (!last && total_s < rule.least_s)) return decision;

  const auto start = steady_start(samples_ns, ops_per_sample, rule.steady);
  if (!start) {
    decision.caveat = n < rule.few_samples ? Caveat::few_samples : Caveat::not_steady;
    decision.first_steady =
        std::min(end_of_warm_up(samples_ns, ops_per_sample, rule.warm_up_s), n - 1);
    return decision;
  }
  decision.first_steady = *start;
  const auto steady = samples_ns.subspan(static_cast<size_t>(*start));
  const auto kept = static_cast<int64_t>(steady.size());
  const double steady_s = seconds_of(steady, ops_per_sample);
  if (!last && steady_s < rule.least_s) return decision;

  const bool enough = kept >= rule.least_samples;
  decision.interval = median_interval(steady, rule.confidence);
  bool tight = false, done = false;
  if (decision.interval) {
    const double half_width = decision.interval->width() / 2 / *median(steady);
    tight = half_width <= rule.target;
    done = tight && enough && no_slow_change(rule, steady, half_width, steady_s);
    decision.caveat = tight ? Caveat::none : Caveat::imprecise;
  } else {
    const bool few = static_cast<double>(kept) < kLeastEffectiveSize;
    decision.caveat = few ? Caveat::few_samples : Caveat::autocorrelated;
    done = few && sample_s >= rule.long_sample_s && kept >= rule.few_samples &&
           all_within(steady, rule.target);
  }
  if (last && tight && !done) decision.caveat = Caveat::imprecise;
  if (last || done || !tight) {  // where it matters: sorting is what a check spends most on
    if (const auto modes = two_modes(steady)) {
      decision.interval.reset();
      decision.caveat = Caveat::bimodal;
      done = enough && modes_tight(steady, *modes, rule);
    }
  }
  if (done) decision.verdict = Verdict::precise;
  return decision;
}

}  // namespace ridge::stats
