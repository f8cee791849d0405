#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "stats/interval.h"

namespace ridge::stats {
namespace {

// 1..n in an order without correlation.
std::vector<double> shuffled(int n) {
  std::vector<double> x;
  for (int i = 0; i < n; ++i) x.push_back(1 + (i * 37 % n));
  return x;
}

TEST(MedianInterval, IsThatOfTheBinomial) {
  // R: qbinom(0.025, 101, 0.5) = 41
  EXPECT_EQ(median_interval(shuffled(101)), (Interval{41, 61}));
  EXPECT_GT(median_interval(shuffled(101), 0.99)->width(), 20);
}

TEST(MedianInterval, NeedsEffectiveSamples) {
  EXPECT_FALSE(median_interval({}));
  EXPECT_FALSE(median_interval(shuffled(14)));
  std::vector<double> trend(200);
  std::iota(trend.begin(), trend.end(), 1);
  EXPECT_FALSE(median_interval(trend));
  EXPECT_FALSE(median_interval(shuffled(101), 1));
}

TEST(MedianInterval, OfEqualSamplesHasNoWidth) {
  EXPECT_EQ(median_interval(std::vector<double>(30, 5.0)), (Interval{5, 5}));
}

TEST(BetweenRounds, IsStudentsOnLogarithms) {
  const double e = std::exp(1);
  const auto estimate = *between_rounds_interval(std::vector<double>{1, e, e * e});
  EXPECT_NEAR(estimate.value, e, 1e-12);
  const double half = 4.302652729749462 / std::sqrt(3);
  EXPECT_NEAR(std::log(estimate.interval.lo), 1 - half, 1e-9);
  EXPECT_NEAR(std::log(estimate.interval.hi), 1 + half, 1e-9);
}

TEST(BetweenRounds, EdgeCases) {
  EXPECT_FALSE(between_rounds_interval(std::vector<double>{1, 2}));
  EXPECT_FALSE(between_rounds_interval(std::vector<double>{1, 2, 0}));
  EXPECT_FALSE(between_rounds_interval(std::vector<double>{1, 2, NAN}));
  EXPECT_EQ(between_rounds_interval(std::vector<double>{3, 3, 3})->interval.width(), 0);
}

TEST(NextRun, IsRootTwoAsWide) {
  const std::vector<double> rounds = {1.00, 1.01, 0.99, 1.02, 0.98};
  const auto here = *between_rounds_interval(rounds), next = *next_run_interval(rounds);
  EXPECT_EQ(here.value, next.value);
  EXPECT_NEAR(std::log(next.interval.hi / next.value) / std::log(here.interval.hi / here.value),
              std::sqrt(2), 1e-9);
  EXPECT_GT(next_run_interval(rounds, 1)->interval.width(), next.interval.width());
}

TEST(Ratio, AddsInQuadrature) {
  const Estimate a{200, {200 / std::exp(0.03), 200 * std::exp(0.03)}};
  const Estimate b{100, {100 / std::exp(0.04), 100 * std::exp(0.04)}};
  const auto ratio = *ratio_interval(a, b);
  EXPECT_DOUBLE_EQ(ratio.value, 2);
  EXPECT_NEAR(ratio.interval.lo, 2 * std::exp(-0.05), 1e-12);
  EXPECT_NEAR(ratio.interval.hi, 2 * std::exp(0.05), 1e-12);
  EXPECT_FALSE(ratio_interval(a, {0, {0, 1}}));
}

}  // namespace
}  // namespace ridge::stats
