#include "measure/plan.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <numeric>

namespace {

using namespace ridge;

constexpr double kLeastShare = 0.6;  // of an equal slice

PlannedRow row_of(double op_seconds, const RoughRates& rates) {
  const auto bytes = static_cast<int64_t>(op_seconds * rates.byte_per_s / 256) * 256;
  PlannedRow row;
  row.work = Stream{.op = Stream::Op::read, .bytes = std::max<int64_t>(256, bytes)};
  row.cache_bytes = 1 << 20;
  return row;
}

double given(const Plan& plan) {
  return std::accumulate(plan.rows.begin(), plan.rows.end(), 0.0, [](double sum, const auto& row) {
    return sum + (row.skip ? 0 : row.seconds);
  });
}

// The processor's counters of energy say nothing of what another device took.
TEST(IsProcessor, ByTheWorkersOrTheDevicesName) {
  const auto is = [](const char* worker, const char* id, const char* name) {
    return is_processor({.worker = worker}, {.id = id, .name = name});
  };
  EXPECT_TRUE(is("cpu", "0", "AMD EPYC"));
  EXPECT_TRUE(is("torch", "cpu", "AMD EPYC"));
  EXPECT_TRUE(is("loops", "0", "CPU"));
  EXPECT_FALSE(is("torch", "cuda:0", "NVIDIA H200"));
  EXPECT_FALSE(is("mlx", "gpu", "Apple M5"));
  EXPECT_FALSE(is("loops", "0", ""));
}

RC_GTEST_PROP(ShareTime, EveryRowGetsWhatItNeedsAndTheRestIsShared, ()) {
  const RoughRates rates;
  Plan plan;
  plan.effort.rounds = *rc::gen::inRange(1, 10);
  plan.effort.seconds = *rc::gen::inRange(1, 2000);
  const auto count = *rc::gen::inRange<size_t>(1, 60);
  for (size_t i = 0; i < count; ++i) {
    plan.rows.push_back(row_of(*rc::gen::inRange(1, 1000) * 1e-3, rates));
  }
  share_time(plan, rates);
  const double share = base_seconds(plan.effort) / plan.effort.rounds;
  const double least = kLeastShare * share / static_cast<double>(count) * (1 - 1e-9);
  const double total = given(plan);
  double largest_free = 0, needed = 0;
  for (const PlannedRow& row : plan.rows) {
    RC_ASSERT(row.seconds >= least);
    RC_ASSERT(row.seconds >= 3 * row.op_seconds * (1 - 1e-9));
    needed += std::max(least, 3 * row.op_seconds);
    if (row.seconds > 3 * row.op_seconds * (1 + 1e-9)) {
      largest_free = std::max(largest_free, row.seconds);
    }
  }
  // What there is is given out exactly, unless more than that is needed.
  RC_ASSERT(std::abs(total - std::max(share, needed)) < 1e-6 * total);
  for (const PlannedRow& row : plan.rows) {
    const bool slow = row.seconds <= 3 * row.op_seconds * (1 + 1e-9);
    RC_ASSERT(slow || std::abs(row.seconds - largest_free) < 1e-9);  // equal slices for the rest
  }
}

TEST(ShareTime, SkippedRowsGetNothing) {
  Plan plan;
  plan.effort.rounds = 5;
  plan.effort.seconds = 100;
  for (int i = 0; i < 4; ++i) plan.rows.push_back(row_of(1e-3, {}));
  plan.rows[1].skip = "no";
  share_time(plan, {});
  EXPECT_EQ(plan.rows[1].seconds, 0);
  EXPECT_NEAR(given(plan), base_seconds(plan.effort) / 5, 1e-9);
  EXPECT_NEAR(plan.rows[0].seconds, base_seconds(plan.effort) / 5 / 3, 1e-9);
}

TEST(ShareTime, NothingToDoTakesNoTime) {
  Plan plan;
  share_time(plan, {});
  plan.rows.push_back(row_of(1, {}));
  plan.rows[0].skip = "no";
  share_time(plan, {});
  EXPECT_EQ(given(plan), 0);
}

TEST(ShareTime, TheEtaCoversWhatIsPlanned) {
  Plan plan;
  plan.effort.rounds = 3;
  plan.effort.seconds = 30;
  for (int i = 0; i < 10; ++i) plan.rows.push_back(row_of(1e-2 * (i + 1), {}));
  share_time(plan, {});
  EXPECT_GE(plan.eta_seconds(), 30);
  EXPECT_GE(plan.eta_seconds(), given(plan) * 3 + plan.overhead_seconds);
  EXPECT_GT(plan.overhead_seconds, 0);
  plan.effort.seconds = 0.1;  // far too little: the rows take what they must
  share_time(plan, {});
  EXPECT_GE(plan.eta_seconds(), given(plan) * 3);
}

TEST(NextRound, SharesWhatIsLeftAndIsNeverNextToNothing) {
  EXPECT_DOUBLE_EQ(next_round_seconds(60, 0, 6, 6), 10);
  EXPECT_DOUBLE_EQ(next_round_seconds(60, 24, 3, 6), 12) << "the rounds before were short";
  EXPECT_DOUBLE_EQ(next_round_seconds(60, 56, 1, 6), 6) << "they were long, 4 s are left";
  EXPECT_DOUBLE_EQ(next_round_seconds(60, 300, 2, 6), 6) << "nothing is left";
}

}  // namespace
