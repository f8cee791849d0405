// Burst and sustained rates of a made-up machine whose truth is known.

#include <gtest/gtest.h>

#include <cmath>

#include "simulator.h"
#include "stats/sustained.h"

namespace {

using namespace ridge::stats;

struct Samples {
  std::vector<double> start_ns, ns;
};

// Samples of 10 ops for `seconds`; rate(t) gives ops per second.
template <class Rate>
Samples made(double seconds, const Rate& rate, double noise, uint64_t seed) {
  sim::Random random(seed);
  Samples out;
  for (double t = 0; t < seconds;) {
    const double op_s = 1 / rate(t) * std::exp(noise * random.gaussian());
    out.start_ns.push_back(t * 1e9);
    out.ns.push_back(op_s * 1e9);
    t += 10 * op_s;
  }
  return out;
}

TEST(SustainedRate, FindsBothRatesAndTheMoment) {
  int covered = 0, given = 0;
  constexpr int kRuns = 200;
  for (uint64_t seed = 1; seed <= kRuns; ++seed) {
    const double falls_at = 8 + static_cast<double>(seed % 20);
    const auto samples = made(
        60, [&](double t) { return t < falls_at ? 1000.0 : 800.0; }, 0.02, seed);
    const auto windows = rate_windows(samples.start_ns, samples.ns, 10, 0.5);
    ASSERT_NEAR(static_cast<double>(windows.size()), 120, 1);
    const auto found = sustained_rate(windows);
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->burst, 1000, 15);
    EXPECT_NEAR(found->sustained, 800, 8);
    ASSERT_TRUE(found->settled_after_s);
    EXPECT_NEAR(*found->settled_after_s, falls_at, 2.5);
    given += found->interval.has_value();
    covered += found->interval && found->interval->contains(800);
  }
  // 40 windows may look too correlated for an interval; one that is given covers.
  EXPECT_GE(given, kRuns * 3 / 4);
  EXPECT_GE(covered, given * 93 / 100);
}

TEST(SustainedRate, AMachineThatKeepsItsSpeedIsSettledAtOnce) {
  const auto samples = made(
      30, [](double) { return 500.0; }, 0.01, 7);
  const auto found = sustained_rate(rate_windows(samples.start_ns, samples.ns, 10, 0.5));
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->sustained / found->burst, 1, 0.02);
  ASSERT_TRUE(found->settled_after_s);
  EXPECT_EQ(*found->settled_after_s, 0);
}

TEST(SustainedRate, TooShortSaysNothing) {
  const auto samples = made(
      5, [](double) { return 500.0; }, 0.01, 7);
  EXPECT_FALSE(sustained_rate(rate_windows(samples.start_ns, samples.ns, 10, 1.0)));
  EXPECT_FALSE(sustained_rate({}));
}

// A pause of the whole machine between samples is no work: it must not lower the rate.
TEST(SustainedRate, TimeBetweenSamplesDoesNotCount) {
  std::vector<double> start, ns;
  for (int i = 0; i < 100; ++i) {
    start.push_back(i * 1e9);
    ns.push_back(1e7);  // 10 ops of 10 ms in every second
  }
  for (const Window& window : rate_windows(start, ns, 10, 2.0)) {
    EXPECT_DOUBLE_EQ(window.per_s, 100);
  }
}

}  // namespace
