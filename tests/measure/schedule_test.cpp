#include "measure/schedule.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace {

using namespace ridge;

RC_GTEST_PROP(Schedule, EveryRowInEveryRoundOnce, ()) {
  const auto rows = *rc::gen::unique<std::vector<size_t>>(rc::gen::inRange<size_t>(0, 1000));
  const int rounds = *rc::gen::inRange(0, 8), first = *rc::gen::inRange(0, 100);
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  const Schedule schedule = rounds_schedule(rows, rounds, first, seed);
  RC_ASSERT(schedule.size() == rows.size() * static_cast<size_t>(rounds));
  for (int round = 0; round < rounds; ++round) {
    std::multiset<size_t> seen;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Step& step = schedule[static_cast<size_t>(round) * rows.size() + i];
      RC_ASSERT(step.session == first + round);  // a session is a process: one a round
      seen.insert(step.row);
    }
    RC_ASSERT(seen == std::multiset<size_t>(rows.begin(), rows.end()));
  }
}

TEST(Schedule, OrderIsShuffledAndRepeatable) {
  std::vector<size_t> rows(20);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = i;
  const auto order = [&](int session, uint64_t seed) {
    std::vector<size_t> out;
    for (const Step& step : rounds_schedule(rows, 1, session, seed)) out.push_back(step.row);
    return out;
  };
  EXPECT_EQ(order(0, 1), order(0, 1));
  EXPECT_NE(order(0, 1), order(1, 1));
  EXPECT_NE(order(0, 1), order(0, 2));
  EXPECT_NE(order(0, 1), rows);
}

// A row comes first about as often as any other: no row always follows the same one.
TEST(Schedule, PlacesAreFair) {
  const std::vector<size_t> rows = {0, 1, 2, 3};
  int first[4] = {};
  for (const uint64_t seed : {1u, 2u, 3u, 4u}) {
    for (int session = 0; session < 250; ++session) {
      ++first[rounds_schedule(rows, 1, session, seed)[0].row];
    }
  }
  for (const int count : first) {
    EXPECT_GT(count, 190);  // 250 ± 13.7: more than four standard deviations
    EXPECT_LT(count, 310);
  }
}

}  // namespace
