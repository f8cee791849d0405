#include "stats/summary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "stats/autocorrelation.h"
#include "stats/quantile.h"

namespace ridge::stats {
namespace {

constexpr int64_t kLeastForP90 = 64;
constexpr int64_t kLeastForP99 = 662;

Outliers count_outliers(std::span<const double> sorted, double q1, double q3) {
  const auto outside = [&](double reach) {
    const auto below = std::lower_bound(sorted.begin(), sorted.end(), q1 - reach);
    const auto above = std::upper_bound(sorted.begin(), sorted.end(), q3 + reach);
    return (below - sorted.begin()) + (sorted.end() - above);
  };
  const int64_t extreme = outside(3 * (q3 - q1));
  return {.mild = outside(1.5 * (q3 - q1)) - extreme, .extreme = extreme};
}

}  // namespace

std::optional<Summary> summarize(std::span<const double> samples) {
  const auto finite = [](double value) { return std::isfinite(value); };
  if (samples.empty() || !std::all_of(samples.begin(), samples.end(), finite)) return std::nullopt;
  const std::vector<double> sorted = sorted_copy(samples);
  Summary s;
  s.n = static_cast<int64_t>(samples.size());
  s.median = quantile_of_sorted(sorted, 0.5);
  s.min = sorted.front();
  s.q1 = quantile_of_sorted(sorted, 0.25);
  s.q3 = quantile_of_sorted(sorted, 0.75);
  s.p95 = quantile_of_sorted(sorted, 0.95);
  s.max = sorted.back();
  if (s.n >= kLeastForP90) s.p90 = quantile_of_sorted(sorted, 0.9);
  if (s.n >= kLeastForP99) s.p99 = quantile_of_sorted(sorted, 0.99);
  s.mad = *median_absolute_deviation(samples, s.median);
  s.robust_cv = s.median != 0 ? kMadToSigma * s.mad / std::fabs(s.median) : 0;
  s.autocorrelation = lag1_autocorrelation(samples);
  s.n_eff = static_cast<double>(s.n) / variance_inflation(samples).likely;
  s.outliers = count_outliers(sorted, s.q1, s.q3);
  return s;
}

}  // namespace ridge::stats
