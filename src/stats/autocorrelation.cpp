#include "stats/autocorrelation.h"

#include <algorithm>
#include <vector>

#include "stats/quantile.h"

namespace ridge::stats {

double lag1_autocorrelation(std::span<const double> values) {
  if (values.size() < 3) return 0;
  const auto n = static_cast<double>(values.size());
  const double centre = *median(values);
  const double reach = 3 * kMadToSigma * *median_absolute_deviation(values, centre);
  std::vector<double> x(values.begin(), values.end());
  double mean = 0;
  for (double& value : x) {
    // More than half of the values equal: nothing to draw them in to.
    if (reach > 0) value = std::clamp(value, centre - reach, centre + reach);
    mean += value / n;
  }
  double variance = 0, covariance = 0, before = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double here = x[i] - mean;
    variance += here * here;
    if (i > 0) covariance += here * before;
    before = here;
  }
  if (!(variance > 0)) return 0;
  const double r1 = covariance / variance;
  return std::clamp(r1 + (1 + 4 * r1) / n, 0.0, 0.999);
}

double effective_size(int64_t n, double r) { return static_cast<double>(n) * (1 - r) / (1 + r); }

}  // namespace ridge::stats
