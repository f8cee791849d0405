#include "stats/autocorrelation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "stats/quantile.h"

namespace ridge::stats {
namespace {

constexpr size_t kLeastMeans = 20;
constexpr double kMostR = 0.999;

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
  const double rounding = n * std::pow(1e-12 * mean, 2);
  double squares = 0, products = 0, before = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double here = x[i] - mean;
    squares += here * here;
    if (i > 0) products += here * before;
    before = here;
  }
  if (!(squares > rounding)) return {};  // all are equal
  const double r1 = products / squares;
  return {squares / (n - 1), std::clamp(r1 + (1 + 4 * r1) / n, 0.0, kMostR)};
}

}  // namespace

double lag1_autocorrelation(std::span<const double> values) {
  return values.size() < 3 ? 0 : moments(without_outliers(values)).r;
}

Inflation variance_inflation(std::span<const double> values) {
  Inflation inflation;
  if (values.size() < 3) return inflation;
  std::vector<double> x = without_outliers(values);
  const Moments single = moments(x);
  if (!(single.variance > 0)) return inflation;
  const auto factor = [](double r) { return (1 + r) / (1 - r); };
  for (double together = 1;; together *= 2) {
    const Moments means = together == 1 ? single : moments(x);
    const double error = std::sqrt((1 - means.r * means.r) / static_cast<double>(x.size()));
    const double scale = together * means.variance / single.variance;
    inflation.likely = std::max(inflation.likely, scale * factor(means.r));
    inflation.at_most =
        std::max(inflation.at_most, scale * factor(std::min(means.r + 2 * error, kMostR)));
    if (x.size() / 2 < kLeastMeans) break;
    for (size_t i = 0; i < x.size() / 2; ++i) x[i] = std::midpoint(x[2 * i], x[2 * i + 1]);
    x.resize(x.size() / 2);
  }
  const bool correlated = single.r > 2 / std::sqrt(static_cast<double>(values.size()));
  if (!correlated) inflation.at_most = inflation.likely;
  return inflation;
}

}  // namespace ridge::stats
