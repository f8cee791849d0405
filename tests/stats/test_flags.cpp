#include <gtest/gtest.h>

#include <cmath>

#include "simulator.h"
#include "stats/row.h"

namespace ridge::stats {
namespace {

struct Series {
  std::vector<double> samples, at_s;
  RoundSeries view() const { return {samples, at_s}; }
};

Series series(int n, double start_s, double slope, double level, double cv, uint64_t seed) {
  sim::Random random(seed);
  Series s;
  for (int i = 0; i < n; ++i) {
    s.samples.push_back(level * (1 + slope * i / n) * (1 + cv * random.gaussian()));
    s.at_s.push_back(start_s + 0.01 * i);
  }
  return s;
}

TEST(TheilSen, FindsTheChange) {
  const auto s = series(400, 0, 0.2, 1e6, 0.02, 1);
  const auto change = *theil_sen_change(s.samples, s.at_s);
  EXPECT_NEAR(change.value, 0.2, 0.02);
  EXPECT_TRUE(change.interval.contains(0.2));
  EXPECT_LT(change.interval.width(), 0.1);
}

TEST(TheilSen, EdgeCases) {
  const auto s = series(7, 0, 0, 1e6, 0.02, 1);
  EXPECT_FALSE(theil_sen_change(s.samples, s.at_s));
  const auto t = series(20, 0, 0, 1e6, 0.02, 1);
  EXPECT_FALSE(theil_sen_change(t.samples, std::span(t.at_s).first(19)));
  EXPECT_FALSE(theil_sen_change(t.samples, std::vector<double>(20, 5.0)));
}

TEST(Drift, WithinEveryRound) {  // each process starts fast again
  std::vector<Series> rounds;
  std::vector<RoundSeries> views;
  for (int r = 0; r < 5; ++r) {
    rounds.push_back(series(300, 60 * r, 0.1, 1e6, 0.02, static_cast<uint64_t>(r) + 1));
  }
  for (const auto& round : rounds) views.push_back(round.view());
  const Drift drift = drift_over(views);
  EXPECT_TRUE(drift.flagged);
  EXPECT_NEAR(drift.within->value, 0.1, 0.02);
  EXPECT_TRUE(drift.across->interval.contains(0));
  const Drift single = drift_over(std::span(views).first(1));
  EXPECT_TRUE(single.flagged);
  EXPECT_FALSE(single.across);
  EXPECT_FALSE(drift_over({}).flagged);
}

TEST(Modes, OneProcessGoingBackAndForth) {
  auto s = series(200, 0, 0, 1e6, 0.01, 7);
  for (size_t i = 0; i < s.samples.size(); i += 4) s.samples[i] *= 1.15;
  const auto modes = *two_modes(s.samples);
  EXPECT_NEAR(modes.fast.median, 1e6, 5e3);
  EXPECT_NEAR(modes.slow.median, 1.15e6, 5e3);
  EXPECT_NEAR(modes.slow.share, 0.25, 0.01);
  EXPECT_FALSE(two_modes(std::span(s.samples).first(29)));
}

TEST(Modes, ProcessBiasIsNoMode) {
  std::vector<Series> rounds;
  std::vector<std::span<const double>> views;
  const double bias[] = {0.985, 1.012, 0.99, 1.015, 1.0};
  for (int r = 0; r < 5; ++r) {
    rounds.push_back(series(200, 0, 0, 1e6 * bias[r], 0.001, static_cast<uint64_t>(r) + 1));
  }
  for (const auto& round : rounds) views.push_back(round.samples);
  EXPECT_FALSE(two_modes_over(views));
}

TEST(Modes, RoundsInTwoModesAreToldApartFromSamplesInTwo) {
  std::vector<Series> rounds;
  std::vector<std::span<const double>> views;
  const double level[] = {1.0, 1.2, 1.005, 1.205, 0.995};
  for (int r = 0; r < 5; ++r) {
    rounds.push_back(series(200, 0, 0, 1e6 * level[r], 0.01, static_cast<uint64_t>(r) + 1));
  }
  for (const auto& round : rounds) views.push_back(round.samples);
  const auto modes = *two_modes_over(views);
  EXPECT_EQ(modes.where, ModesAre::between_rounds);
  EXPECT_DOUBLE_EQ(modes.modes.slow.share, 0.4);
  EXPECT_NEAR(modes.modes.slow.median / modes.modes.fast.median, 1.2, 0.01);
}

TEST(Modes, ShortRoundsArePooled) {
  std::vector<Series> rounds;
  std::vector<std::span<const double>> views;
  for (int r = 0; r < 5; ++r) {
    rounds.push_back(series(12, 0, 0, 1e9, 0.01, static_cast<uint64_t>(r) + 1));
    for (size_t i = 0; i < 12; i += 2) rounds.back().samples[i] *= 1.2;
  }
  for (const auto& round : rounds) views.push_back(round.samples);
  EXPECT_EQ(two_modes_over(views)->where, ModesAre::within_rounds);
  EXPECT_FALSE(two_modes_over({}));
}

TEST(Row, EdgeCases) {
  EXPECT_FALSE(estimate_row({}));
  const auto s = series(50, 0, 0, 1e6, 0.01, 1);
  const std::vector<RoundSeries> two = {s.view(), s.view()};
  const auto row = *estimate_row(two);
  EXPECT_FALSE(row.interval);
  EXPECT_EQ(row.caveat, Caveat::few_samples);
  EXPECT_NEAR(row.value, 1e6, 1e4);
  const std::vector<RoundSeries> three = {s.view(), s.view(), s.view()};
  EXPECT_TRUE(estimate_row(three)->interval);
  EXPECT_EQ(estimate_row(three, 1)->caveat, Caveat::not_steady);
}

}  // namespace
}  // namespace ridge::stats
