#include "stats/drift.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "stats/blocks.h"
#include "stats/distributions.h"
#include "stats/quantile.h"

namespace ridge::stats {
namespace {

constexpr size_t kLeastPoints = 8;
constexpr int64_t kMostBlocks = 60;  // 1770 pairs
constexpr double kLeastEffectivePoints = 6;

struct Points {
  std::vector<double> t;  // seconds
  std::vector<double> y;  // log ns
};

Points blocked(std::span<const double> samples, std::span<const double> at_s) {
  Points points;
  for (const Block& block : counted_blocks(samples, kMostBlocks)) {
    const auto first = static_cast<size_t>(block.first);
    const auto last = static_cast<size_t>(block.first + block.count - 1);
    points.t.push_back((at_s[first] + at_s[last]) / 2);
    points.y.push_back(std::log(block.median));
  }
  return points;
}

std::vector<double> pairwise_slopes(const Points& points) {
  std::vector<double> slopes;
  slopes.reserve(points.t.size() * (points.t.size() - 1) / 2);
  for (size_t i = 0; i < points.t.size(); ++i) {
    for (size_t j = i + 1; j < points.t.size(); ++j) {
      const double dt = points.t[j] - points.t[i];
      if (dt > 0) slopes.push_back((points.y[j] - points.y[i]) / dt);
    }
  }
  return slopes;
}

// By how much autocorrelation of what a line leaves over inflates variances.
double residual_inflation(const Points& points, double slope) {
  const auto n = static_cast<double>(points.t.size());
  std::vector<double> residual(points.t.size());
  for (size_t i = 0; i < residual.size(); ++i) residual[i] = points.y[i] - slope * points.t[i];
  const double centre = *median(residual);
  const double reach = 3 * kMadToSigma * *median_absolute_deviation(residual, centre);
  double mean = 0;
  for (double& value : residual) {
    if (reach > 0) value = std::clamp(value, centre - reach, centre + reach);
    mean += value / n;
  }
  double squares = 0, products = 0;
  for (size_t i = 0; i < residual.size(); ++i) {
    squares += (residual[i] - mean) * (residual[i] - mean);
    if (i > 0) products += (residual[i] - mean) * (residual[i - 1] - mean);
  }
  if (!(squares > 0)) return 1;
  const double r1 = products / squares;
  const double r = std::clamp(r1 + (2 + 4 * r1) / n, 0.0, 0.99);  // 2: a slope was fitted, too
  return (1 + r) / (1 - r);
}

Change from_logs(double value, double lo, double hi) {
  return {std::expm1(value), {std::expm1(lo), std::expm1(hi)}};
}

bool outside(const std::optional<Change>& change, double tolerance) {
  return change && (change->interval.lo > tolerance || change->interval.hi < -tolerance);
}

// A line by least squares through the rounds' medians.
std::optional<Change> across_rounds(std::span<const RoundSeries> rounds, const DriftRule& rule) {
  Points points;
  for (const RoundSeries& round : rounds) {
    if (round.samples.empty()) continue;
    points.t.push_back(*median(round.at_s));
    points.y.push_back(std::log(*median(round.samples)));
  }
  const auto count = static_cast<double>(points.t.size());
  if (points.t.size() < 3) return std::nullopt;
  double mean_t = 0, mean_y = 0;
  for (size_t i = 0; i < points.t.size(); ++i) {
    mean_t += points.t[i] / count;
    mean_y += points.y[i] / count;
  }
  double sxx = 0, sxy = 0, squares = 0;
  for (size_t i = 0; i < points.t.size(); ++i) {
    sxx += (points.t[i] - mean_t) * (points.t[i] - mean_t);
    sxy += (points.t[i] - mean_t) * (points.y[i] - mean_y);
  }
  if (!(sxx > 0)) return std::nullopt;
  const double slope = sxy / sxx;
  for (size_t i = 0; i < points.t.size(); ++i) {
    squares += std::pow(points.y[i] - mean_y - slope * (points.t[i] - mean_t), 2);
  }
  const double degrees = count - 2 + rule.process_weight;
  const double variance =
      (squares + rule.process_weight * rule.process_cv * rule.process_cv) / degrees;
  const auto [first, last] = std::minmax_element(points.t.begin(), points.t.end());
  const double span = *last - *first;
  const double half =
      student_t_quantile((1 + rule.confidence) / 2, degrees) * span * std::sqrt(variance / sxx);
  return from_logs(slope * span, slope * span - half, slope * span + half);
}

std::optional<Change> within_rounds(std::span<const RoundSeries> rounds, const DriftRule& rule) {
  std::optional<Change> largest;
  std::vector<double> changes;
  for (const RoundSeries& round : rounds) {
    if (round.samples.size() < kLeastPoints) continue;
    const Points points = blocked(round.samples, round.at_s);
    auto slopes = pairwise_slopes(points);
    if (slopes.empty()) continue;
    changes.push_back(median_in_place(slopes) * (points.t.back() - points.t.front()));
    if (rounds.size() >= 3) continue;
    const auto change = theil_sen_change(round.samples, round.at_s, rule.confidence);
    if (change && (!largest || std::fabs(change->value) > std::fabs(largest->value))) {
      largest = change;
    }
  }
  if (changes.size() < 3) return largest;
  const auto count = static_cast<double>(changes.size());
  double mean = 0, squares = 0;
  for (const double change : changes) mean += change / count;
  for (const double change : changes) squares += (change - mean) * (change - mean);
  const double half = student_t_quantile((1 + rule.confidence) / 2, count - 1) *
                      std::sqrt(squares / (count - 1) / count);
  return from_logs(mean, mean - half, mean + half);
}

}  // namespace

std::optional<Change> theil_sen_change(std::span<const double> samples,
                                       std::span<const double> at_s, double confidence) {
  if (samples.size() < kLeastPoints || samples.size() != at_s.size()) return std::nullopt;
  const Points points = blocked(samples, at_s);
  auto slopes = pairwise_slopes(points);
  if (slopes.empty()) return std::nullopt;
  std::sort(slopes.begin(), slopes.end());
  const double slope = quantile_of_sorted(slopes, 0.5);
  const auto n = static_cast<double>(points.t.size());
  const double inflation = residual_inflation(points, slope);
  if (n / inflation < kLeastEffectivePoints) return std::nullopt;

  // Sen 1968: the slopes at ranks (N ± z·sqrt(var S))/2 of N pairs.
  const double deviation = std::sqrt(n * (n - 1) * (2 * n + 5) / 18 * inflation);
  const double reach =
      normal_quantile((1 + confidence) / 2) * deviation / static_cast<double>(slopes.size()) / 2;
  const double span = points.t.back() - points.t.front();
  return from_logs(slope * span, quantile_of_sorted(slopes, 0.5 - reach) * span,
                   quantile_of_sorted(slopes, 0.5 + reach) * span);
}

Drift drift_over(std::span<const RoundSeries> rounds, const DriftRule& rule) {
  for (const RoundSeries& round : rounds) {
    if (round.samples.size() != round.at_s.size()) return {};
  }
  Drift drift;
  drift.across = across_rounds(rounds, rule);
  drift.within = within_rounds(rounds, rule);
  drift.flagged = outside(drift.across, rule.tolerance) || outside(drift.within, rule.tolerance);
  return drift;
}

}  // namespace ridge::stats
