#include <gtest/gtest.h>

#include <cmath>

#include "simulator.h"
#include "stats/line.h"

namespace ridge::stats {
namespace {

using Rounds = std::vector<std::vector<double>>;

std::vector<double> powers_of_two() {
  std::vector<double> k;
  for (double value = 1; value <= 1024; value *= 2) k.push_back(value);
  return k;
}

Rounds noisy(const std::vector<double>& k, int rounds, double cv, auto time) {
  sim::Random random(11);
  Rounds result(static_cast<size_t>(rounds));
  for (auto& round : result) {
    for (const double ops : k) round.push_back(time(ops) * (1 + cv * random.gaussian()));
  }
  return result;
}

TEST(Line, ExactTimesAreFittedExactly) {
  const auto k = powers_of_two();
  const Line line = fit_line(k, noisy(k, 3, 0, [](double ops) { return 5000 + 7 * ops; }));
  ASSERT_EQ(line.verdict, LineVerdict::fits);
  EXPECT_NEAR(line.a, 5000, 1e-6);
  EXPECT_NEAR(line.b, 7, 1e-9);
  EXPECT_NEAR(line.a_interval->width(), 0, 1e-6);
  EXPECT_NEAR(line.misfit, 0, 1e-9);
}

// Weighted equally, the noise at 1024 ops, 100 times the cost of a submission, would drown it.
TEST(Line, CostOfSubmissionIsReadWhereItIsLarge) {
  const auto k = powers_of_two();
  const Line line = fit_line(k, noisy(k, 5, 0.02, [](double ops) { return 1000 + 100 * ops; }));
  ASSERT_EQ(line.verdict, LineVerdict::fits);
  EXPECT_TRUE(line.a_interval->contains(1000));
  EXPECT_LT(line.a_interval->width(), 0.1 * 1000);
  EXPECT_NEAR(line.noise, 0.02, 0.006);
}

TEST(Line, TimesAndCountsScale) {
  const auto k = powers_of_two();
  const Rounds rounds = noisy(k, 4, 0.03, [](double ops) { return 300 + 20 * ops; });
  const Line line = fit_line(k, rounds);
  Rounds slower = rounds;
  for (auto& round : slower) {
    for (double& time : round) time *= 1000;
  }
  std::vector<double> threes = k;
  for (double& ops : threes) ops *= 3;
  const Line thousand = fit_line(threes, slower);
  EXPECT_NEAR(thousand.a / line.a, 1000, 1e-6);
  EXPECT_NEAR(thousand.b / line.b, 1000.0 / 3, 1e-6);
  EXPECT_NEAR(thousand.b_interval->width() / line.b_interval->width(), 1000.0 / 3, 1e-6);
  EXPECT_NEAR(thousand.misfit_p, line.misfit_p, 1e-9);
}

TEST(Line, OneWildMedianHardlyCounts) {
  const auto k = powers_of_two();
  Rounds rounds = noisy(k, 5, 0.01, [](double ops) { return 2000 + 10 * ops; });
  const Line before = fit_line(k, rounds);
  rounds[2][4] *= 4;
  const Line after = fit_line(k, rounds);
  EXPECT_EQ(after.verdict, LineVerdict::fits);
  EXPECT_NEAR(after.a / before.a, 1, 0.01);
  EXPECT_NEAR(after.b / before.b, 1, 0.01);
}

TEST(Line, WhatIsNoLineHasNoIntervalAndSaysWhere) {
  const auto k = powers_of_two();
  const auto queue_full = [](double ops) { return 1000 + 10 * ops + (ops > 256 ? 3000.0 : 0.0); };
  const Line line = fit_line(k, noisy(k, 5, 0.01, queue_full));
  EXPECT_EQ(line.verdict, LineVerdict::not_a_line);
  EXPECT_FALSE(line.a_interval);
  EXPECT_FALSE(line.b_interval);
  EXPECT_LT(line.misfit_p, 0.01);
  EXPECT_GT(line.misfit, 0.03);
  EXPECT_GE(line.worst_k, 128);
}

// One part in a hundred, far above the noise: no reason to be silent, but one to say less.
TEST(Line, SmallDepartureWidensTheIntervals) {
  const auto k = powers_of_two();
  const auto bent = [](double ops) { return (1000 + 10 * ops) * (1 + 0.01 * std::sin(ops)); };
  const Line line = fit_line(k, noisy(k, 5, 0.0005, bent));
  ASSERT_EQ(line.verdict, LineVerdict::fits);
  EXPECT_LT(line.misfit_p, 0.01);
  EXPECT_TRUE(line.a_interval->contains(1000));
  EXPECT_TRUE(line.b_interval->contains(10));
  EXPECT_GT(line.b_interval->width() / line.b, 0.005);
}

TEST(Line, SaysWhyThereIsNone) {
  const std::vector<double> k = {1, 2, 4, 8};
  const std::vector<double> good = {11, 12, 14, 18};
  EXPECT_EQ(fit_line(k, Rounds{good, good}).verdict, LineVerdict::few_rounds);
  EXPECT_EQ(fit_line(k, Rounds{}).verdict, LineVerdict::few_rounds);
  EXPECT_EQ(fit_line(k, Rounds{good, good, good}).verdict, LineVerdict::fits);
  EXPECT_EQ(fit_line(k, Rounds{good, good, {1, 2, 3}}).verdict, LineVerdict::bad_input);
  EXPECT_EQ(fit_line(k, Rounds{good, good, {1, 2, 3, NAN}}).verdict, LineVerdict::bad_input);
  EXPECT_EQ(fit_line(k, Rounds{good, good, {1, 2, 3, 0}}).verdict, LineVerdict::bad_input);
  const std::vector<double> three_counts = {1, 2, 4, 4};
  const Line line = fit_line(three_counts, Rounds{good, good, good});
  EXPECT_EQ(line.verdict, LineVerdict::few_points);
  EXPECT_FALSE(line.a_interval || line.b_interval);
}

}  // namespace
}  // namespace ridge::stats
