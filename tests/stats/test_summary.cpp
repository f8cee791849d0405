#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "simulator.h"
#include "stats/autocorrelation.h"
#include "stats/quantile.h"
#include "stats/summary.h"

namespace ridge::stats {
namespace {

std::vector<double> ar1(double phi, int n, uint64_t seed) {
  sim::Random random(seed);
  std::vector<double> x;
  double state = random.gaussian();
  for (int i = 0; i < n; ++i) {
    x.push_back(100 + state);
    state = phi * state + std::sqrt(1 - phi * phi) * random.gaussian();
  }
  return x;
}

TEST(Summary, OfKnownNumbers) {
  const std::vector<double> x = {4, 1, 3, 2, 100};
  const Summary s = *summarize(x);
  EXPECT_EQ(s.n, 5);
  EXPECT_EQ(s.median, 3);
  EXPECT_EQ(s.min, 1);
  EXPECT_EQ(s.q1, 2);
  EXPECT_EQ(s.q3, 4);
  EXPECT_DOUBLE_EQ(s.p95, 80.8);  // numpy.percentile
  EXPECT_EQ(s.max, 100);
  EXPECT_EQ(s.mad, 1);
  EXPECT_DOUBLE_EQ(s.robust_cv, 1.4826022185056018 / 3);
  EXPECT_EQ(s.outliers, (Outliers{.mild = 0, .extreme = 1}));
}

TEST(Summary, CountsOutliersOnBothSides) {
  std::vector<double> x(101);
  std::iota(x.begin(), x.end(), 1000);  // quartiles 1025 and 1075: fences 950, 1150 and 875, 1225
  x.insert(x.end(), {940, 1160, 800, 1300});
  EXPECT_EQ(summarize(x)->outliers, (Outliers{.mild = 2, .extreme = 2}));
}

TEST(Summary, HighPercentilesNeedSamples) {
  std::vector<double> x(63, 1);
  EXPECT_FALSE(summarize(x)->p90);
  x.resize(64, 1);
  EXPECT_TRUE(summarize(x)->p90);
  x.resize(661, 1);
  EXPECT_FALSE(summarize(x)->p99);
  x.resize(662, 1);
  EXPECT_TRUE(summarize(x)->p99);
}

TEST(Summary, EdgeCases) {
  EXPECT_FALSE(summarize({}));
  EXPECT_FALSE(summarize(std::vector<double>{1, NAN}));
  EXPECT_FALSE(summarize(std::vector<double>{1, INFINITY}));
  const Summary one = *summarize(std::vector<double>{7});
  EXPECT_EQ(one.median, 7);
  EXPECT_EQ(one.mad, 0);
  EXPECT_EQ(one.n_eff, 1);
  EXPECT_EQ(summarize(std::vector<double>(50, 3.0))->autocorrelation, 0);
  EXPECT_EQ(*median(std::vector<double>{1, 2, 3, 10}), 2.5);
  EXPECT_FALSE(median({}));
}

TEST(Autocorrelation, OfAr1) {
  for (const double phi : {0.0, 0.6, 0.9}) {
    const auto x = ar1(phi, 20000, 5);
    EXPECT_NEAR(lag1_autocorrelation(x), phi, 0.03);
    const double inflation = (1 + phi) / (1 - phi);
    EXPECT_NEAR(variance_inflation(x).likely / inflation, 1.25, 0.35);
    EXPECT_GE(variance_inflation(x).at_most, variance_inflation(x).likely);
  }
}

TEST(Autocorrelation, SmallSampleBiasIsRemoved) {
  double sum = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) sum += lag1_autocorrelation(ar1(0.6, 50, seed));
  EXPECT_NEAR(sum / 400, 0.6, 0.04);
}

TEST(Autocorrelation, OutliersDoNotHideIt) {
  auto x = ar1(0.9, 2000, 9);
  for (size_t i = 0; i < x.size(); i += 50) x[i] *= 10;
  EXPECT_GT(lag1_autocorrelation(x), 0.7);
}

TEST(Autocorrelation, SlowWanderUnderFastNoiseCounts) {
  auto x = ar1(0.95, 4000, 3);
  sim::Random random(4);
  for (double& value : x) value += random.gaussian();
  EXPECT_LT(lag1_autocorrelation(x), 0.6);  // (1+r)/(1-r) below 4; the truth is 20
  EXPECT_GT(variance_inflation(x).likely, 12);
}

}  // namespace
}  // namespace ridge::stats
