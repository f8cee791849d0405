#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "stats/interval.h"
#include "stats/modes.h"
#include "stats/quantile.h"
#include "stats/steady.h"
#include "stats/summary.h"

namespace ridge::stats {
namespace {

// Times of 1 to 1.5 ms, in ns; whole numbers, so scaling by a power of two is exact.
std::vector<double> times() {
  const auto raw =
      *rc::gen::suchThat(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 500000)),
                         [](const auto& x) { return !x.empty(); });
  std::vector<double> x;
  for (const int value : raw) x.push_back(1e6 + value);
  return x;
}

std::vector<double> scaled(std::vector<double> x, double by) {
  for (double& value : x) value *= by;
  return x;
}

// The same cases each time, unless RC_PARAMS asks for others.
void holds(const char* what, const auto& property) {
  setenv("RC_PARAMS", "seed=20240607", 0);
  EXPECT_TRUE(rc::check(what, property));
}

TEST(Properties, QuantilesDoNotDependOnOrder) {
  holds("permutation", [] {
    const auto x = times();
    auto y = x;
    std::reverse(y.begin(), y.end());
    std::rotate(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(y.size() / 3), y.end());
    const auto a = *summarize(x), b = *summarize(y);
    RC_ASSERT(a.median == b.median && a.q1 == b.q1 && a.q3 == b.q3 && a.p95 == b.p95);
    RC_ASSERT(a.mad == b.mad && a.outliers == b.outliers && a.p90 == b.p90);
    RC_ASSERT(*median(x) == a.median);
  });
}

TEST(Properties, SummariesAreOrdered) {
  holds("order", [] {
    const auto s = *summarize(times());
    RC_ASSERT(s.min <= s.q1 && s.q1 <= s.median && s.median <= s.q3);
    RC_ASSERT(s.q3 <= s.p95 && s.p95 <= s.max);
    RC_ASSERT(s.autocorrelation >= 0 && s.autocorrelation < 1);
    RC_ASSERT(s.n_eff > 0 && s.n_eff <= static_cast<double>(s.n) + 1e-9);
  });
}

TEST(Properties, EverythingScales) {
  holds("scale", [] {
    const auto x = times(), y = scaled(x, 4);
    const auto a = *summarize(x), b = *summarize(y);
    RC_ASSERT(b.median == 4 * a.median && b.mad == 4 * a.mad && b.outliers == a.outliers);
    RC_ASSERT(std::fabs(b.n_eff - a.n_eff) < 1e-6 * a.n_eff);
    const auto i = median_interval(x), j = median_interval(y);
    RC_ASSERT(i.has_value() == j.has_value());
    if (i) RC_ASSERT(j->lo == 4 * i->lo && j->hi == 4 * i->hi);
    RC_ASSERT(two_modes(x).has_value() == two_modes(y).has_value());
    RC_ASSERT(steady_start(x, 400) == steady_start(y, 100));
  });
}

TEST(Properties, IntervalsContainTheirEstimate) {
  holds("contains", [] {
    const auto x = times();
    if (const auto interval = median_interval(x)) RC_ASSERT(interval->contains(*median(x)));
    const auto rounds = between_rounds_interval(x);
    RC_ASSERT(rounds.has_value() == (x.size() >= 3));
    if (rounds) {
      RC_ASSERT(rounds->interval.contains(rounds->value));
      const auto wider = *between_rounds_interval(x, 0.99), next = *next_run_interval(x);
      RC_ASSERT(wider.interval.lo <= rounds->interval.lo &&
                wider.interval.hi >= rounds->interval.hi);
      RC_ASSERT(next.interval.lo <= rounds->interval.lo && next.interval.hi >= rounds->interval.hi);
    }
  });
}

TEST(Properties, RatioTurnsAround) {
  holds("a/b and b/a", [] {
    const auto a = between_rounds_interval(times()), b = between_rounds_interval(times());
    RC_PRE(a && b);
    const auto ab = *ratio_interval(*a, *b), ba = *ratio_interval(*b, *a);
    RC_ASSERT(std::fabs(ab.value * ba.value - 1) < 1e-12);
    RC_ASSERT(std::fabs(ab.interval.lo * ba.interval.hi - 1) < 1e-9);
    RC_ASSERT(ab.interval.contains(ab.value));
  });
}

}  // namespace
}  // namespace ridge::stats
