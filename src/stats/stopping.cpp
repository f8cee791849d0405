#include "stats/stopping.h"

#include <algorithm>
#include <cmath>

#include "stats/quantile.h"

namespace ridge::stats {
namespace {

struct Steady {
  int64_t first = 0;
  double seconds = 0;  // of the samples from `first` on
};

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

int64_t check_after(const StoppingRule& rule, int64_t n, double sample_s) {
  if (n < rule.few_samples) return rule.few_samples;
  const int64_t step = sample_s >= rule.long_sample_s ? 1 : 10;
  return n + std::max(step, n / 10);
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
  if (n == 0) return decision;

  const auto start = steady_start(samples_ns, ops_per_sample, rule.steady);
  if (!start) {
    decision.caveat = Caveat::not_steady;
    decision.first_steady =
        std::min(end_of_warm_up(samples_ns, ops_per_sample, rule.warm_up_s), n - 1);
    return decision;
  }
  decision.first_steady = *start;
  const auto steady = samples_ns.subspan(static_cast<size_t>(*start));
  const auto kept = static_cast<int64_t>(steady.size());
  const double steady_s = seconds_of(steady, ops_per_sample);
  if (steady_s < rule.least_s && elapsed_s < rule.most_s) return decision;

  decision.interval = median_interval(steady, rule.confidence);
  if (decision.interval) {
    const bool tight = decision.interval->width() <= 2 * rule.target * *median(steady);
    decision.caveat = tight ? Caveat::none : Caveat::imprecise;
    if (tight && kept >= rule.least_samples) decision.verdict = Verdict::precise;
  } else {
    const bool few = static_cast<double>(kept) < kLeastEffectiveSize;
    decision.caveat = few ? Caveat::few_samples : Caveat::autocorrelated;
    if (few && sample_s >= rule.long_sample_s && kept >= rule.few_samples &&
        all_within(steady, rule.target)) {
      decision.verdict = Verdict::precise;
    }
  }
  return decision;
}

}  // namespace ridge::stats
