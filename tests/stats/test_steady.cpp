#include <gtest/gtest.h>

#include <cmath>

#include "simulator.h"
#include "stats/blocks.h"
#include "stats/steady.h"
#include "stats/stopping.h"

namespace ridge::stats {
namespace {

std::vector<double> noisy(double ns, double cv, int n, uint64_t seed = 1) {
  sim::Random random(seed);
  std::vector<double> x;
  for (int i = 0; i < n; ++i) x.push_back(ns * (1 + cv * random.gaussian()));
  return x;
}

TEST(Blocks, LastLongEnough) {
  const auto long_ones = timed_blocks(std::vector<double>(5, 60e6), 1, 0.05, 4);
  ASSERT_EQ(long_ones.size(), 5u);
  EXPECT_EQ(long_ones[3].count, 1);
  const auto middling = timed_blocks(std::vector<double>(9, 20e6), 1, 0.05, 4);
  ASSERT_EQ(middling.size(), 2u);  // of 4 samples; one is left over
  const auto many_ops = timed_blocks(std::vector<double>(100, 1e3), 1000, 0.05, 4);
  ASSERT_EQ(many_ops.size(), 2u);
  EXPECT_EQ(many_ops[1].first, 50);
  EXPECT_EQ(counted_blocks(std::vector<double>(100, 1), 60).size(), 60u);
  EXPECT_TRUE(counted_blocks({}, 60).empty());
}

TEST(Steady, NothingTooEarly) {
  EXPECT_FALSE(steady_start({}, 1));
  EXPECT_FALSE(steady_start(std::vector<double>(3, 1e9), 1));
  EXPECT_FALSE(steady_start(std::vector<double>(20, 10e6), 1));  // 0.2 s
}

TEST(Steady, LongOpsAreKept) {
  const std::vector<double> gemm = {0.701e9, 0.699e9, 0.700e9, 0.702e9};
  EXPECT_EQ(steady_start(gemm, 1), 0);
  const std::vector<double> one_cold = {0.9e9, 0.701e9, 0.699e9, 0.700e9, 0.702e9, 0.700e9};
  const auto start = steady_start(one_cold, 1);
  ASSERT_TRUE(start);
  EXPECT_GE(*start, 1);
  EXPECT_LE(*start, 2);
}

TEST(Steady, AStepIsFound) {
  auto x = noisy(10e6, 0.01, 300);
  for (int i = 0; i < 50; ++i) x[static_cast<size_t>(i)] *= 0.9;  // a boost of 0.5 s
  const auto start = steady_start(x, 1);
  ASSERT_TRUE(start);
  EXPECT_GE(*start, 50);
  EXPECT_LE(*start, 150);
}

TEST(Steady, ARampNeverIs) {
  auto x = noisy(10e6, 0.005, 300);
  for (size_t i = 0; i < x.size(); ++i) x[i] *= 1 + 0.0005 * static_cast<double>(i);
  EXPECT_FALSE(steady_start(x, 1));
}

TEST(Steady, NoiseSetsTheTolerance) {
  EXPECT_TRUE(steady_start(noisy(10e6, 0.05, 100), 1));
  EXPECT_TRUE(steady_start(noisy(200e6, 0.05, 30), 1));
}

TEST(Steady, DiscardIsDiscarded) {
  SteadyRule rule;
  rule.discard_s = 3;
  const auto x = noisy(10e6, 0.01, 800);
  EXPECT_FALSE(steady_start(std::span(x).first(290), 1, rule));
  const auto start = steady_start(x, 1, rule);
  ASSERT_TRUE(start);
  EXPECT_GE(*start, 295);
}

TEST(Stopping, QuietMachineEndsSoon) {
  const StoppingRule rule;
  const auto x = noisy(10e6, 0.002, 200);
  const auto early = decide(rule, std::span(x).first(20), 1, 0.2);
  EXPECT_EQ(early.verdict, Verdict::go_on);
  EXPECT_GT(early.next_check, 20);
  const auto end = decide(rule, x, 1, 2);
  EXPECT_EQ(end.verdict, Verdict::precise);
  EXPECT_EQ(end.caveat, Caveat::none);
  EXPECT_TRUE(end.interval->contains(10e6));
}

TEST(Stopping, OutOfTimeSaysWhy) {
  const StoppingRule rule;
  const auto few = noisy(3e9, 0.05, 5);
  auto decision = decide(rule, few, 1, 15.1);
  EXPECT_EQ(decision.verdict, Verdict::out_of_time);
  EXPECT_EQ(decision.caveat, Caveat::few_samples);
  const auto wild = noisy(50e6, 0.2, 300);
  decision = decide(rule, wild, 1, 15.1);
  EXPECT_EQ(decision.verdict, Verdict::out_of_time);
  EXPECT_EQ(decision.caveat, Caveat::imprecise);
  EXPECT_TRUE(decision.interval);
  auto ramp = noisy(10e6, 0.005, 1500);
  for (size_t i = 0; i < ramp.size(); ++i) ramp[i] *= 1 + 0.0005 * static_cast<double>(i);
  decision = decide(rule, ramp, 1, 15.1);
  EXPECT_EQ(decision.caveat, Caveat::not_steady);
  EXPECT_FALSE(decision.interval);
  EXPECT_GT(decision.first_steady, 0);
  decision = decide(rule, {}, 1, 15.1);
  EXPECT_EQ(decision.verdict, Verdict::out_of_time);
  EXPECT_EQ(decision.next_check, rule.few_samples);
}

TEST(Stopping, SixLongSamplesThatAgreeAreEnough) {
  const auto decision = decide({}, noisy(1.5e9, 0.001, 6), 1, 9);
  EXPECT_EQ(decision.verdict, Verdict::precise);
  EXPECT_EQ(decision.caveat, Caveat::few_samples);
  EXPECT_FALSE(decision.interval);
}

TEST(Stopping, TwoModesHaveNoMedian) {
  auto x = noisy(10e6, 0.01, 200);
  for (size_t i = 0; i < x.size(); i += 2) x[i] *= 1.2;
  const auto decision = decide({}, x, 1, 2.2);
  EXPECT_EQ(decision.verdict, Verdict::precise);
  EXPECT_EQ(decision.caveat, Caveat::bimodal);
  EXPECT_FALSE(decision.interval);
}

TEST(Stopping, BudgetSetsTheWarmUpCap) {
  EXPECT_DOUBLE_EQ(StoppingRule::for_budget(4).warm_up_s, 1.2);
  EXPECT_DOUBLE_EQ(StoppingRule::for_budget(100).warm_up_s, 10);
  EXPECT_DOUBLE_EQ(StoppingRule::for_budget(4, 0.03).target, 0.03);
}

}  // namespace
}  // namespace ridge::stats
