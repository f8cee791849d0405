#include "stats/autocorrelation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "stats/quantile.h"

namespace ridge::stats {
namespace {

constexpr size_t kLeastMeans = 20;

struct Moments {
  double variance = 0;
  double r = 0;  // lag 1, corrected, in [0, 0.999]
};

std::vector<double> without_outliers(std::span<const double> values) {
  std::vector<double> x(values.begin(), values.end());
  const double centre = *median(values);
  const double reach = 3 * kMadToSigma * *median_absolute_deviation(values, centre);
  if (!(reach > 0)) return x;  // more than half of the values are equal
  for (double& value : x) value = std::clamp(value, centre - reach, centre + reach);
  return x;
}

Moments moments(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  double mean = 0;
  for (const double value : x) mean += value / n;
  double squares = 0, products = 0, before = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double here = x[i] - mean;
    squares += here * here;
    if (i > 0) products += here * before;
    before = here;
  }
  if (!(squares > 0)) return {};
  const double r1 = products / squares;
  return {squares / (n - 1), std::clamp(r1 + (1 + 4 * r1) / n, 0.0, 0.999)};
}

}  // namespace

double lag1_autocorrelation(std::span<const double> values) {
  return values.size() < 3 ? 0 : moments(without_outliers(values)).r;
}

double variance_inflation(std::span<const double> values, double sigmas) {
  if (values.size() < 3) return 1;
  std::vector<double> x = without_outliers(values);
  const double variance = moments(x).variance;
  if (!(variance > 0)) return 1;
  double most = 1;
  for (double together = 1;; together *= 2) {
    const Moments means = moments(x);
    const double error = std::sqrt((1 - means.r * means.r) / static_cast<double>(x.size()));
    const double r = std::min(means.r + sigmas * error, 0.999);
    most = std::max(most, together * means.variance / variance * (1 + r) / (1 - r));
    if (x.size() / 2 < kLeastMeans) return most;
    for (size_t i = 0; i < x.size() / 2; ++i) x[i] = std::midpoint(x[2 * i], x[2 * i + 1]);
    x.resize(x.size() / 2);
  }
}

double effective_size(std::span<const double> values, double sigmas) {
  return static_cast<double>(values.size()) / variance_inflation(values, sigmas);
}

}  // namespace ridge::stats
