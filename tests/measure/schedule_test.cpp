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

RC_GTEST_PROP(Schedule, RowsOfAGroupFollowEachOther, ()) {
  std::vector<std::vector<size_t>> groups;
  size_t rows = 0;
  for (size_t i = *rc::gen::inRange<size_t>(0, 12); i > 0; --i) {
    groups.emplace_back();
    for (size_t j = *rc::gen::inRange<size_t>(1, 5); j > 0; --j) groups.back().push_back(rows++);
  }
  const int session = *rc::gen::inRange(0, 100);
  const Schedule schedule = grouped_round(groups, session, *rc::gen::arbitrary<uint64_t>());
  RC_ASSERT(schedule.size() == rows);
  std::set<size_t> seen;
  for (size_t at = 0; at < schedule.size();) {
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& one) {
      return std::find(one.begin(), one.end(), schedule[at].row) != one.end();
    });
    std::set<size_t> together;
    for (size_t i = 0; i < group->size(); ++i, ++at) {
      RC_ASSERT(schedule[at].session == session);
      together.insert(schedule[at].row);
    }
    RC_ASSERT(together == std::set<size_t>(group->begin(), group->end()));
    for (const size_t row : together) RC_ASSERT(seen.insert(row).second);
  }
}

TEST(Schedule, NeitherOfTwoWorkersIsAlwaysFirst) {
  int first = 0;
  for (int session = 0; session < 400; ++session) {
    first += grouped_round({{0, 1}, {2, 3}}, session, 9)[0].row % 2 == 0;
  }
  EXPECT_GT(first, 150);  // 200 ± 10
  EXPECT_LT(first, 250);
}

std::vector<RowPair> some_pairs(size_t count) {
  std::vector<RowPair> pairs;
  for (size_t i = 0; i < count; ++i) pairs.push_back({i, i + count});
  return pairs;
}

// The pairs in the order of their visits; empty where a visit is not where A B B A has it.
std::vector<size_t> order_of(const Schedule& schedule, const std::vector<RowPair>& pairs,
                             bool b_first) {
  std::vector<size_t> order;
  if (schedule.size() != 4 * pairs.size()) return {};
  for (size_t i = 0; i < schedule.size(); i += 4) {
    const auto pair = std::find_if(pairs.begin(), pairs.end(), [&](const RowPair& p) {
      return schedule[i].row == (b_first ? p.b : p.a);
    });
    if (pair == pairs.end()) return {};
    const size_t inner = b_first ? pair->a : pair->b;
    if (schedule[i + 1].row != inner || schedule[i + 2].row != inner) return {};
    if (schedule[i + 3].row != schedule[i].row) return {};
    order.push_back(static_cast<size_t>(pair - pairs.begin()));
  }
  return order;
}

RC_GTEST_PROP(Mirrored, EveryPairIsVisitedAbbaThenBaab, ()) {
  const auto pairs = some_pairs(*rc::gen::inRange<size_t>(0, 60));
  const int round = *rc::gen::inRange(0, 500);
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  const Schedule schedule = mirrored_round(pairs, round, seed);
  auto order = order_of(schedule, pairs, round % 2 == 1);
  RC_ASSERT(order.size() == pairs.size());
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) RC_ASSERT(order[i] == i);
  for (const Step& step : schedule) RC_ASSERT(step.session == round);
}

// Over two rounds what drifts steadily, and what the place in the round adds, is the same for both.
RC_GTEST_PROP(Mirrored, BothSidesHaveTheSamePlaces, ()) {
  const auto pairs = some_pairs(*rc::gen::inRange<size_t>(1, 40));
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  std::vector<int64_t> lead(pairs.size());
  std::vector<int> first(pairs.size());
  for (const int round : {0, 1}) {
    const Schedule schedule = mirrored_round(pairs, round, seed);
    for (size_t at = 0; at < schedule.size(); ++at) {
      const bool of_b = schedule[at].row >= pairs.size();
      const size_t pair = schedule[at].row % pairs.size();
      lead[pair] += of_b ? static_cast<int64_t>(at) : -static_cast<int64_t>(at);
      if (at % 4 == 0) first[pair] += of_b ? 1 : -1;
    }
    for (const int64_t sum : lead) RC_ASSERT(sum == 0);
  }
  for (const int balance : first) RC_ASSERT(balance == 0);
}

TEST(Mirrored, PairsAreShuffledAnewByRoundAndSeed) {
  const auto pairs = some_pairs(20);
  const auto order = [&](int round, uint64_t seed) {
    return order_of(mirrored_round(pairs, round, seed), pairs, round % 2 == 1);
  };
  EXPECT_EQ(order(0, 1).size(), 20u);
  EXPECT_EQ(order(3, 1), order(3, 1));
  std::set<std::vector<size_t>> seen;
  for (int round = 0; round < 20; ++round) {
    for (const uint64_t seed : {1u, 2u, 3u}) seen.insert(order(round, seed));
  }
  EXPECT_EQ(seen.size(), 60u);
}

}  // namespace
