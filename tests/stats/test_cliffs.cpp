#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "simulator.h"
#include "stats/cliffs.h"

namespace ridge::stats {
namespace {

constexpr size_t kLine = 64;

// A set-associative cache, line by line: the truth here is no formula.
class Cache {
 public:
  Cache(size_t lines, size_t ways, bool evict_oldest, uint64_t seed)
      : ways_(ways), evict_oldest_(evict_oldest), tags_(lines, SIZE_MAX), random_(seed) {}

  bool hits(size_t line) {
    const size_t sets = tags_.size() / ways_;
    const auto first = tags_.begin() + static_cast<std::ptrdiff_t>(line % sets * ways_);
    const auto last = first + static_cast<std::ptrdiff_t>(ways_);
    const auto at = std::find(first, last, line);
    if (at != last) {
      if (evict_oldest_) std::rotate(first, at, at + 1);  // the newest stands first
      return true;
    }
    if (evict_oldest_) {
      std::rotate(first, last - 1, last);
      *first = line;
    } else {
      const auto way = static_cast<size_t>(random_.uniform() * static_cast<double>(ways_));
      *(first + static_cast<std::ptrdiff_t>(std::min(way, ways_ - 1))) = line;
    }
    return false;
  }

 private:
  size_t ways_;
  bool evict_oldest_;
  std::vector<size_t> tags_;
  sim::Random random_;
};

enum class Order { random, cycle, rising };

// Mean time of an access to working sets of 4 KiB to 4 MiB in a memory with 40 KiB at 1 ns, 640 KiB
// at 5 ns, the rest at 40 ns.
std::vector<SweepPoint> swept_caches(Order order, bool evict_oldest) {
  sim::Random random(3);
  std::vector<SweepPoint> points;
  for (int quarter = 0; quarter <= 40; ++quarter) {
    const auto lines = static_cast<size_t>(std::round(64 * std::exp2(quarter / 4.0)));
    // Fully associative where the evicted line is random, to be free of conflicts between sets.
    Cache small(640, evict_oldest ? 10 : 640, evict_oldest, 1);
    Cache large(10240, evict_oldest ? 20 : 128, evict_oldest, 2);
    std::vector<size_t> turn(lines);
    std::iota(turn.begin(), turn.end(), 0);
    if (order == Order::cycle) {
      for (size_t i = lines; i > 1; --i) {
        std::swap(turn[i - 1],
                  turn[static_cast<size_t>(random.uniform() * static_cast<double>(i))]);
      }
    }
    const size_t warm_up = 4 * lines, measured = std::max<size_t>(lines, 10000);
    double time = 0;
    for (size_t i = 0; i < warm_up + measured; ++i) {
      const size_t line = order == Order::random
                              ? static_cast<size_t>(random.uniform() * static_cast<double>(lines))
                              : turn[i % lines];
      const double took = small.hits(line) ? 1 : large.hits(line) ? 5 : 40;
      if (i >= warm_up) time += took / static_cast<double>(measured);
    }
    points.push_back({static_cast<double>(lines * kLine), time});
  }
  return points;
}

void expect_both_levels(const Cliffs& cliffs) {
  ASSERT_EQ(cliffs.cliffs.size(), 2u);
  EXPECT_NEAR(cliffs.cliffs[0].capacity.value / (640 * kLine), 1, 0.1);
  EXPECT_NEAR(cliffs.cliffs[1].capacity.value / (10240 * kLine), 1, 0.1);
  EXPECT_NEAR(cliffs.cliffs[0].before, 1, 0.1);
  EXPECT_NEAR(cliffs.cliffs[0].after / 5, 1, 0.15);
  EXPECT_NEAR(cliffs.cliffs[1].after / 40, 1, 0.1);
}

TEST(Cliffs, OfCachesUnderRandomAccesses) {
  const auto cliffs = *find_cliffs(swept_caches(Order::random, true));
  EXPECT_EQ(cliffs.transition, Transition::hit_ratio);
  expect_both_levels(cliffs);
}

TEST(Cliffs, OfCachesRoundARandomCycle) {
  const auto cliffs = *find_cliffs(swept_caches(Order::cycle, false));
  EXPECT_EQ(cliffs.transition, Transition::random_cycle);
  expect_both_levels(cliffs);
}

TEST(Cliffs, OfCachesInOrder) {
  const auto cliffs = *find_cliffs(swept_caches(Order::rising, true));
  expect_both_levels(cliffs);
}

// Value by size on 4 KiB to 1 GiB, with noise.
std::vector<SweepPoint> swept(double cv, auto value) {
  sim::Random random(9);
  std::vector<SweepPoint> points;
  for (int quarter = 0; quarter <= 72; ++quarter) {
    const double bytes = 4096 * std::exp2(quarter / 4.0);
    points.push_back({bytes, value(bytes) * (1 + cv * random.gaussian())});
  }
  return points;
}

double beyond(double capacity, double bytes) { return std::max(0.0, 1 - capacity / bytes); }

TEST(Cliffs, UnitsDoNotMatter) {
  auto points = swept(0.01, [](double bytes) { return 2 + 5 * beyond(1.3e6, bytes); });
  const auto cliffs = *find_cliffs(points);
  ASSERT_EQ(cliffs.cliffs.size(), 1u);
  EXPECT_TRUE(cliffs.cliffs[0].capacity.interval.contains(1.3e6));
  EXPECT_NEAR(cliffs.noise, 0.01, 0.003);
  for (SweepPoint& point : points) point.bytes *= 3, point.value *= 1000;
  const auto scaled = *find_cliffs(points);
  ASSERT_EQ(scaled.cliffs.size(), 1u);
  EXPECT_NEAR(scaled.cliffs[0].capacity.value / cliffs.cliffs[0].capacity.value, 3, 1e-6);
  EXPECT_NEAR(scaled.cliffs[0].after / cliffs.cliffs[0].after, 1000, 1e-3);
  EXPECT_NEAR(scaled.cliffs[0].evidence, cliffs.cliffs[0].evidence, 1e-6);
}

TEST(Cliffs, SmallRiseIsFittedButNotClaimed) {
  const auto points = swept(0.002, [](double bytes) { return 2 + 0.3 * beyond(1.3e6, bytes); });
  const auto cliffs = *find_cliffs(points);
  EXPECT_TRUE(cliffs.cliffs.empty());
  EXPECT_NEAR(cliffs.fitted.back() / cliffs.fitted.front(), 1.15, 0.01);
  EXPECT_EQ(find_cliffs(points, {.least_ratio = 1.1})->cliffs.size(), 1u);
}

TEST(Cliffs, NearCapacitiesAreOneSofterCliff) {
  const auto cliffs = *find_cliffs(swept(
      0.002, [](double bytes) { return 1 + 2 * beyond(1e6, bytes) + 2 * beyond(1.6e6, bytes); }));
  ASSERT_EQ(cliffs.cliffs.size(), 1u);
  EXPECT_GT(cliffs.cliffs[0].capacity.value, 1e6);
  EXPECT_LT(cliffs.cliffs[0].capacity.value, 1.6e6);
  EXPECT_NEAR(cliffs.cliffs[0].ratio(), 5, 0.2);
}

TEST(Cliffs, OnePointAloneIsNone) {
  for (const size_t wild : {size_t{0}, size_t{1}, size_t{30}, size_t{71}, size_t{72}}) {
    auto points = swept(0.01, [](double) { return 3.0; });
    points[wild].value *= 2;
    const auto cliffs = *find_cliffs(points);
    EXPECT_TRUE(cliffs.cliffs.empty()) << wild;
    EXPECT_EQ(cliffs.set_aside, 1) << wild;
  }
}

TEST(Cliffs, EdgeCases) {
  const auto good = swept(0.01, [](double) { return 3.0; });
  EXPECT_FALSE(find_cliffs({}));
  EXPECT_FALSE(find_cliffs(std::span(good).first(11)));
  EXPECT_TRUE(find_cliffs(std::span(good).first(12)));
  for (const double bad : {0.0, -1.0, double(NAN), double(INFINITY)}) {
    auto points = good;
    points[20].value = bad;
    EXPECT_FALSE(find_cliffs(points)) << bad;
  }
  auto points = good;
  std::swap(points[3], points[4]);
  EXPECT_FALSE(find_cliffs(points));
  const auto exact = *find_cliffs(swept(0, [](double) { return 3.0; }));
  EXPECT_TRUE(exact.cliffs.empty());
  EXPECT_NEAR(exact.noise, 0, 1e-12);
}

TEST(SweepPoint, IsTheRoundsGeometricMeanAndItsError) {
  const double e = std::exp(1);
  const auto point = sweep_point(4096, std::vector<double>{1, e, e * e});
  EXPECT_NEAR(point.value, e, 1e-12);
  EXPECT_NEAR(point.relative_error, 1 / std::sqrt(3), 1e-12);
  EXPECT_EQ(sweep_point(4096, std::vector<double>{7}).relative_error, 0);
  EXPECT_EQ(sweep_point(4096, {}).value, 0);
  EXPECT_EQ(sweep_point(4096, std::vector<double>{7, 0}).value, 0);
}

}  // namespace
}  // namespace ridge::stats
