#include "stats/interval.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "stats/autocorrelation.h"
#include "stats/distributions.h"

namespace ridge::stats {
namespace {

bool usable(double value) { return value > 0 && std::isfinite(value); }

bool valid(double confidence) { return confidence > 0 && confidence < 1; }

// exp(mean of logs ± t·s·sqrt(1/R + extra)).
std::optional<Estimate> on_logs(std::span<const double> medians, double extra, double confidence) {
  const auto rounds = static_cast<double>(medians.size());
  if (medians.size() < 3 || !valid(confidence)) return std::nullopt;
  if (!std::all_of(medians.begin(), medians.end(), usable)) return std::nullopt;
  double mean = 0, squares = 0;
  for (const double value : medians) mean += std::log(value) / rounds;
  for (const double value : medians) squares += std::pow(std::log(value) - mean, 2);
  const double deviation = std::sqrt(squares / (rounds - 1));
  const double half = student_t_quantile((1 + confidence) / 2, rounds - 1) * deviation *
                      std::sqrt(1 / rounds + extra);
  return Estimate{std::exp(mean), {std::exp(mean - half), std::exp(mean + half)}};
}

}  // namespace

std::optional<Interval> median_interval(std::span<const double> samples, double confidence) {
  const auto n = static_cast<int64_t>(samples.size());
  if (static_cast<double>(n) < kLeastEffectiveSize || !valid(confidence)) return std::nullopt;
  const Inflation inflation = variance_inflation(samples);
  const double n_eff = static_cast<double>(n) / inflation.likely;
  // On the safe side: else the intervals shown of a strongly autocorrelated series would be those
  // whose correlation came out too low by chance.
  if (static_cast<double>(n) / inflation.at_most < kLeastEffectiveSize) return std::nullopt;

  // The order statistics k and m+1-k of m independent values miss the median with probability
  // 2·P(Binomial(m, 1/2) < k); take the same fractions of our n, rounded outwards.
  const auto m = static_cast<int64_t>(n_eff);
  const int64_t k = binomial_quantile((1 - confidence) / 2, m, 0.5);
  if (k < 1) return std::nullopt;
  const double place = static_cast<double>(k) / static_cast<double>(m + 1);
  const auto rank = static_cast<int64_t>(std::floor(place * static_cast<double>(n + 1) + 1e-9));
  if (rank < 1) return std::nullopt;

  std::vector<double> copy(samples.begin(), samples.end());
  const auto low = copy.begin() + (rank - 1);
  const auto high = copy.begin() + (n - rank);
  std::nth_element(copy.begin(), low, copy.end());
  if (high > low) std::nth_element(low + 1, high, copy.end());
  return Interval{*low, *high};
}

std::optional<Estimate> between_rounds_interval(std::span<const double> round_medians,
                                                double confidence) {
  return on_logs(round_medians, 0, confidence);
}

std::optional<Estimate> next_run_interval(std::span<const double> round_medians, int next_rounds,
                                          double confidence) {
  const auto next = next_rounds > 0 ? next_rounds : static_cast<int>(round_medians.size());
  return on_logs(round_medians, 1.0 / std::max(next, 1), confidence);
}

std::optional<Estimate> ratio_interval(const Estimate& a, const Estimate& b) {
  for (const Estimate* side : {&a, &b}) {
    if (!usable(side->value) || !usable(side->interval.lo) || !usable(side->interval.hi)) {
      return std::nullopt;
    }
  }
  const double ratio = a.value / b.value;
  const double down =
      std::hypot(std::log(a.value / a.interval.lo), std::log(b.interval.hi / b.value));
  const double up =
      std::hypot(std::log(a.interval.hi / a.value), std::log(b.value / b.interval.lo));
  return Estimate{ratio, {ratio * std::exp(-down), ratio * std::exp(up)}};
}

}  // namespace ridge::stats
