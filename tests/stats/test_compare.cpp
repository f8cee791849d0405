#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulator.h"
#include "stats/compare.h"
#include "stats/signed_rank.h"

namespace ridge::stats {
namespace {

// Reference values: the textbook's formulas in Python, tails of t by integrating its density
// numerically, signed ranks by trying all 2^n sign flips.
const std::vector<double> kA{10.1, 10.4, 9.8, 10.0, 10.6}, kB{9.9, 9.7, 9.9, 9.6, 10.1};
const std::vector<double> kSix{9.9, 9.7, 9.9, 9.6, 10.1, 9.2};
const std::vector<double> kDifferences{0.031, -0.012, 0.024, 0.005,  0.017, -0.003,
                                       0.041, 0.009,  0.013, -0.008, 0.022, 0.036};

// Sides of n rounds, b so many times as slow.
std::pair<std::vector<double>, std::vector<double>> sides(size_t n, double slower, uint64_t seed) {
  sim::Random random(seed);
  std::pair<std::vector<double>, std::vector<double>> out;
  for (size_t i = 0; i < n; ++i) {
    out.first.push_back(1000 * std::exp(0.02 * random.gaussian()));
    out.second.push_back(1000 * slower * std::exp(0.02 * random.gaussian()));
  }
  return out;
}

SpeedVerdict verdict(const Speedup& speedup) {
  return judge(speedup, speedup.p_value, band(speedup));
}

using Compare = std::optional<Speedup> (*)(std::span<const double>, std::span<const double>,
                                           double);
constexpr Compare kBoth[] = {paired_speedup, independent_speedup};

TEST(Compare, PairedAgreesWithTheFormula) {
  const auto s = paired_speedup(kA, kB);
  ASSERT_TRUE(s);
  EXPECT_NEAR(s->ratio.value, 1.0343091930365267, 1e-12);
  EXPECT_NEAR(s->ratio.interval.lo, 0.9961325829815666, 1e-9);
  EXPECT_NEAR(s->ratio.interval.hi, 1.0739489151110997, 1e-9);
  EXPECT_NEAR(s->p_value, 0.06745690924246575, 1e-9);
  EXPECT_EQ(s->degrees, 4);
}

TEST(Compare, IndependentAgreesWithWelch) {
  const auto s = independent_speedup(kA, kSix);
  ASSERT_TRUE(s);
  EXPECT_NEAR(s->ratio.value, 1.0459403189853118, 1e-12);
  EXPECT_NEAR(s->ratio.interval.lo, 1.00103565662597, 1e-9);
  EXPECT_NEAR(s->ratio.interval.hi, 1.0928593238790676, 1e-9);
  EXPECT_NEAR(s->p_value, 0.04584372904544599, 1e-9);
  EXPECT_NEAR(s->degrees, 8.770142682172093, 1e-9);
}

TEST(Compare, SignedRanksAgreeWithAllFlips) {
  const auto shift = signed_rank_shift(kDifferences);
  ASSERT_TRUE(shift);
  EXPECT_NEAR(shift->value, 0.0145, 1e-15);
  EXPECT_NEAR(shift->interval.lo, 0.0025, 1e-15);
  EXPECT_NEAR(shift->interval.hi, 0.0265, 1e-15);
  EXPECT_DOUBLE_EQ(shift->p_value, 0.01611328125);
  const auto cdf = signed_rank_cdf(12);
  ASSERT_EQ(cdf.size(), 79u);
  EXPECT_DOUBLE_EQ(cdf[0], 0.000244140625);
  EXPECT_DOUBLE_EQ(cdf[13], 0.021240234375);
  EXPECT_DOUBLE_EQ(cdf[39], 0.51513671875);
  EXPECT_DOUBLE_EQ(cdf[78], 1);
}

TEST(Compare, TwelvePairsAreRanked) {
  std::vector<double> a, b(12, 100.0);
  for (const double d : kDifferences) a.push_back(100 * std::exp(d));
  const auto s = paired_speedup(a, b);
  ASSERT_TRUE(s);
  EXPECT_NEAR(s->ratio.value, std::exp(0.0145), 1e-12);
  EXPECT_NEAR(s->ratio.interval.lo, std::exp(0.0025), 1e-12);
  EXPECT_NEAR(s->ratio.interval.hi, std::exp(0.0265), 1e-12);
  EXPECT_DOUBLE_EQ(s->p_value, 0.01611328125);
}

// Unless it is wild on one side only, a wild visit or two of twenty does not hide 5 %.
TEST(Compare, WildVisitsDoNotHideADifference) {
  auto [a, b] = sides(20, 1.05, 5);
  EXPECT_EQ(verdict(*paired_speedup(a, b)), SpeedVerdict::slower);
  a[3] *= 3, a[11] *= 2, b[7] *= 2, b[16] *= 3;
  EXPECT_EQ(verdict(*paired_speedup(a, b)), SpeedVerdict::slower);
}

// Holm 1979, by hand: sorted and multiplied by 4, 3, 2, 1, never falling, at most 1.
TEST(Compare, HolmByHand) {
  EXPECT_EQ(holm(std::vector<double>{}), std::vector<double>{});
  EXPECT_EQ(holm(std::vector{0.03}), std::vector{0.03});
  const auto four = holm(std::vector{0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
  for (size_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(four[i], expected[i]) << i;
  EXPECT_EQ(holm(std::vector{0.6, 0.5}), (std::vector{1.0, 1.0}));
  EXPECT_EQ(holm(std::vector{0.25, 0.25}), (std::vector{0.5, 0.5}));  // alike stay alike
}

TEST(Compare, HolmNeverHelpsAndKeepsTheOrder) {
  sim::Random random(3);
  for (int run = 0; run < 200; ++run) {
    std::vector<double> p(1 + static_cast<size_t>(40 * random.uniform()));
    for (double& x : p) x = std::pow(random.uniform(), 4);
    const auto adjusted = holm(p);
    const double least = *std::min_element(p.begin(), p.end());
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_GE(adjusted[i], p[i]);
      EXPECT_LE(adjusted[i], std::min(1.0, p[i] * static_cast<double>(p.size())));
      if (p[i] == least) {
        EXPECT_DOUBLE_EQ(adjusted[i], std::min(1.0, least * static_cast<double>(p.size())));
      }
      for (size_t j = 0; j < p.size(); ++j) {
        if (p[i] < p[j]) {
          EXPECT_LE(adjusted[i], adjusted[j]);
        }
      }
    }
  }
}

TEST(Compare, SwappingSidesInvertsEverything) {
  for (const Compare compare : kBoth) {
    for (const size_t n : {3, 5, 11, 12, 20, 21}) {
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        const auto [a, b] = sides(n, 1 + 0.02 * static_cast<double>(seed % 4), seed);
        const auto there = *compare(a, b, 0.95), back = *compare(b, a, 0.95);
        EXPECT_NEAR(there.ratio.value * back.ratio.value, 1, 1e-12);
        EXPECT_NEAR(there.ratio.interval.lo * back.ratio.interval.hi, 1, 1e-12);
        EXPECT_NEAR(there.ratio.interval.hi * back.ratio.interval.lo, 1, 1e-12);
        EXPECT_NEAR(there.p_value, back.p_value, 1e-12);
        EXPECT_NEAR(band(there), band(back), 1e-12);
        const auto mirrored = [](SpeedVerdict v) {
          return v == SpeedVerdict::faster   ? SpeedVerdict::slower
                 : v == SpeedVerdict::slower ? SpeedVerdict::faster
                                             : v;
        };
        EXPECT_EQ(verdict(there), mirrored(verdict(back)));
        EXPECT_TRUE(there.ratio.interval.contains(there.ratio.value));
      }
    }
  }
}

TEST(Compare, UnitsDoNotMatter) {
  for (const Compare compare : kBoth) {
    for (const size_t n : {4, 20}) {
      auto [a, b] = sides(n, 1.03, n);
      const auto before = *compare(a, b, 0.95);
      for (auto* side : {&a, &b}) {
        for (double& t : *side) t *= 1e-9;
      }
      const auto after = *compare(a, b, 0.95);
      EXPECT_NEAR(after.ratio.value, before.ratio.value, 1e-12);
      EXPECT_NEAR(after.ratio.interval.lo, before.ratio.interval.lo, 1e-12);
      EXPECT_NEAR(after.p_value, before.p_value, 1e-9);
    }
  }
}

// What both sides of a pair share cancels, however large.
TEST(Compare, SharedDriftCancelsInPairs) {
  auto [a, b] = sides(20, 1.03, 9);
  const auto before = *paired_speedup(a, b);
  for (size_t i = 0; i < a.size(); ++i) {
    const double speed = 1 + 0.1 * static_cast<double>(i);
    a[i] *= speed, b[i] *= speed;
  }
  EXPECT_NEAR(paired_speedup(a, b)->ratio.value, before.ratio.value, 1e-12);
  EXPECT_NEAR(paired_speedup(a, b)->p_value, before.p_value, 1e-12);
}

TEST(Compare, WhatCannotBeComparedIsNot) {
  const std::vector<double> two{1, 2}, three{1, 2, 3}, four{1, 2, 3, 4};
  EXPECT_FALSE(paired_speedup(two, two));
  EXPECT_FALSE(paired_speedup(three, four));
  EXPECT_FALSE(independent_speedup(two, four));
  EXPECT_FALSE(independent_speedup(four, two));
  EXPECT_TRUE(independent_speedup(three, four));
  for (const double bad : {0.0, -1.0, double{NAN}, double{INFINITY}}) {
    const std::vector<double> with{1, bad, 3};
    for (const Compare compare : kBoth) {
      EXPECT_FALSE(compare(with, three, 0.95)) << bad;
      EXPECT_FALSE(compare(three, with, 0.95)) << bad;
    }
  }
  EXPECT_FALSE(signed_rank_shift({}));
  EXPECT_FALSE(signed_rank_shift(std::span(kDifferences).first(5)));
  EXPECT_TRUE(signed_rank_shift(std::span(kDifferences).first(6)));
}

// A clock too coarse to show any noise.
TEST(Compare, WithoutVariance) {
  for (const Compare compare : kBoth) {
    for (const size_t n : {3, 12, 20}) {
      const std::vector<double> one(n, 100.0), other(n, 125.0);
      const auto alike = *compare(one, one, 0.95);
      EXPECT_NEAR(alike.ratio.interval.lo, 1, 1e-12);
      EXPECT_NEAR(alike.ratio.interval.hi, 1, 1e-12);
      EXPECT_EQ(alike.p_value, 1);
      EXPECT_EQ(verdict(alike), SpeedVerdict::same);
      const auto apart = *compare(one, other, 0.95);
      EXPECT_NEAR(apart.ratio.value, 0.8, 1e-12);
      EXPECT_NEAR(apart.ratio.interval.width(), 0, 1e-12);
      EXPECT_LT(apart.p_value, 0.001);
      EXPECT_EQ(verdict(apart), SpeedVerdict::slower);
    }
  }
}

TEST(Compare, VerdictsFollowTheirRules) {
  const auto of = [](double value, double lo, double hi) {
    Speedup speedup;
    speedup.ratio = {value, {lo, hi}};
    return speedup;
  };
  // The whole interval within the band, though the p-value is small.
  EXPECT_EQ(judge(of(1.005, 1.001, 1.009), 0.0001, 0.01), SpeedVerdict::same);
  // Part of it outside.
  EXPECT_EQ(judge(of(1.005, 0.999, 1.011), 0.2, 0.01), SpeedVerdict::unclear);
  EXPECT_EQ(judge(of(1.05, 1.03, 1.07), 0.001, 0.02), SpeedVerdict::faster);
  EXPECT_EQ(judge(of(0.95, 0.93, 0.97), 0.001, 0.02), SpeedVerdict::slower);
  // Clear of 1, but not after all the other rows that were looked at.
  EXPECT_EQ(judge(of(1.05, 1.001, 1.1), 0.3, 0.02), SpeedVerdict::unclear);
  // So small that it matters to nobody.
  EXPECT_EQ(judge(of(1.009, 1.0, 1.018), 0.001, 0.01), SpeedVerdict::unclear);
  EXPECT_EQ(band(of(1, 1, 1)), 0.01);
  EXPECT_NEAR(band(of(1, std::exp(-0.02), std::exp(0.02))), std::expm1(0.037), 1e-12);
  EXPECT_EQ(band(of(1, 0.5, 2)), 0.10);
  EXPECT_EQ(name(SpeedVerdict::faster), "FASTER");
  EXPECT_EQ(name(SpeedVerdict::slower), "SLOWER");
  EXPECT_EQ(name(SpeedVerdict::same), "SAME");
  EXPECT_EQ(name(SpeedVerdict::unclear), "UNCLEAR");
}

}  // namespace
}  // namespace ridge::stats
