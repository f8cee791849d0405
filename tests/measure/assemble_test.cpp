// From rounds to a row: estimate, interval, flags, and no rate where there is none to be had.

#include "measure/assemble.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace {

using namespace ridge;

PlannedRow planned_gemm() {
  PlannedRow row;
  row.device = "0";
  row.cache_bytes = 1 << 20;
  row.work = Gemm{.m = 100, .n = 10, .k = 50};
  return row;
}

// Independent noise of ± 0.5 % around `ns`, a sample every millisecond.
KeptRound round_of(double ns, int number, int64_t samples = 400, double slope = 0) {
  KeptRound round;
  round.at_s = 10.0 * number;
  round.outcome.check.verdict = CheckOutcome::Verdict::passed;
  round.outcome.check.elements = 10;
  round.outcome.check.worst = 0.1 * number;
  round.outcome.prepared.kernel = "k" + std::to_string(number);
  const TensorKey key = tensor_key(1, static_cast<uint64_t>(number), 0, "noise");
  for (int64_t i = 0; i < samples; ++i) {
    round.outcome.start_ns.push_back(static_cast<double>(i) * 1e6);
    const double wander = slope * static_cast<double>(i) / static_cast<double>(samples);
    round.outcome.ns.push_back(ns * (1 + wander + 0.01 * (random_uniform(key, i) - 0.5)));
  }
  return round;
}

Row row_from(const std::vector<KeptRound>& rounds,
             const std::optional<RoundOutcome>& failure = std::nullopt) {
  return assemble(planned_gemm(), "w", {}, rounds, failure);
}

TEST(Assemble, ThreeRoundsGiveANumberWithItsInterval) {
  const Row row = row_from({round_of(1000, 0), round_of(1010, 1), round_of(990, 2)});
  EXPECT_EQ(row.status, Status::ok);
  ASSERT_TRUE(row.time.median_ns && row.time.ci_low_ns && row.time.ci_high_ns);
  EXPECT_NEAR(*row.time.median_ns, 1000, 5);
  EXPECT_LT(*row.time.ci_low_ns, *row.time.median_ns);
  EXPECT_GT(*row.time.ci_high_ns, *row.time.median_ns);
  EXPECT_EQ(row.time.n, 1200);
  EXPECT_EQ(row.time.rounds, 3);
  EXPECT_EQ(row.check.elements, 30);
  EXPECT_DOUBLE_EQ(row.check.worst, 0.2);
  EXPECT_EQ(row.row_key(), "gemm/f32/100x10x50@w:0/cold/pipelined");
  EXPECT_EQ(row.kernel, "k0");
}

TEST(Assemble, ValuesAreTheMedianOfWhatAllRoundsTold) {
  std::vector<KeptRound> rounds = {round_of(1000, 0), round_of(1010, 1), round_of(990, 2)};
  const double told[] = {3, 1, 2};
  for (size_t i = 0; i < rounds.size(); ++i) {
    rounds[i].outcome.values = {{"token_p50", told[i], "s"}};
    if (i > 0) rounds[i].outcome.values.push_back({"token_p99", 7, "s"});
  }
  EXPECT_EQ(row_from(rounds).values, (std::vector<Value>{{"token_p50", 2, "s"}}));
  rounds.resize(1);
  rounds[0].outcome.values[0].ci_low = 1;  // of one round it stays as it was told
  EXPECT_EQ(row_from(rounds).values, rounds[0].outcome.values);
}

// The slow end of the time is the low end of the rate.
TEST(Assemble, TheRatesEndsAreInverted) {
  const Row row = row_from({round_of(1000, 0), round_of(1010, 1), round_of(990, 2)});
  const double work = 2.0 * 100 * 10 * 50 * 1e9;
  EXPECT_DOUBLE_EQ(*row.rate.value, work / *row.time.median_ns);
  EXPECT_DOUBLE_EQ(*row.rate.ci_low, work / *row.time.ci_high_ns);
  EXPECT_DOUBLE_EQ(*row.rate.ci_high, work / *row.time.ci_low_ns);
  EXPECT_LT(*row.rate.ci_low, *row.rate.value);
  EXPECT_GT(*row.rate.ci_high, *row.rate.value);
  EXPECT_EQ(row.rate.unit, RateUnit::flop_per_s);
}

// What an empty backend came to decides what was executed; one asked for is what it is called.
TEST(Assemble, TheWayThatRanIsCounted) {
  PlannedRow planned = planned_gemm();
  const Attention work{.heads = 8,
                       .kv_heads = 8,
                       .seq_q = 128,
                       .seq_kv = 128,
                       .head_dim = 64,
                       .mask = Attention::Mask::causal,
                       .pass = Attention::Pass::bwd};
  planned.work = work;
  KeptRound round = round_of(1e6, 0);
  const auto executed = [&](const char* asked, std::optional<std::string> told) {
    planned.settings.backend = asked;
    round.outcome.prepared.backend = std::move(told);
    const Row row = assemble(planned, "w", {}, {round, round, round}, std::nullopt);
    EXPECT_EQ(row.cost.model_flops, cost(work, {}).model_flops);
    return row.cost.executed_flops;
  };
  const double fused = cost(work, {}).executed_flops,
               unfused = cost(work, {.backend = "unfused"}).executed_flops;
  EXPECT_NE(fused, unfused);
  EXPECT_EQ(executed("", std::nullopt), fused);
  EXPECT_EQ(executed("", "unfused"), unfused);
  EXPECT_EQ(executed("", "math"), unfused);
  EXPECT_EQ(executed("", "flash"), fused);
  EXPECT_EQ(executed("unfused", "flash"), unfused);
}

TEST(Assemble, TooFewRoundsHaveNoInterval) {
  for (const auto& rounds :
       {std::vector{round_of(1000, 0)}, std::vector{round_of(1000, 0), round_of(1001, 1)}}) {
    const Row row = row_from(rounds);
    EXPECT_EQ(row.status, Status::ok);
    EXPECT_TRUE(row.rate.value);
    EXPECT_FALSE(row.time.ci_low_ns);
    EXPECT_FALSE(row.rate.ci_low);
    EXPECT_TRUE(row.has(Flag::few_samples));
  }
}

PlannedRow planned_model(int rounds) {
  PlannedRow row = planned_gemm();
  row.work = Decode{.use = {.model = {.name = "small",
                                      .num_hidden_layers = 1,
                                      .hidden_size = 32,
                                      .num_attention_heads = 2,
                                      .num_key_value_heads = 2,
                                      .head_dim = 16,
                                      .intermediate_size = 32,
                                      .vocab_size = 100,
                                      .max_position_embeddings = 512}},
                    .tokens = 8};
  row.rounds = rounds;
  row.note = "one round, as loading the model takes 40 s";
  return row;
}

// A model that is loaded once has the interval of one process, which it says; other work has none.
TEST(Assemble, OneRoundOfAModelHasItsOwnInterval) {
  const Row row = assemble(planned_model(1), "w", {}, {round_of(1000, 0)}, std::nullopt);
  ASSERT_TRUE(row.time.ci_low_ns && row.time.ci_high_ns && row.rate.ci_low);
  EXPECT_LT(*row.time.ci_low_ns, *row.time.median_ns);
  EXPECT_GT(*row.time.ci_high_ns, *row.time.median_ns);
  EXPECT_LT(*row.time.ci_high_ns - *row.time.ci_low_ns, 10);
  EXPECT_FALSE(row.has(Flag::few_samples));
  ASSERT_FALSE(row.notes.empty());
  EXPECT_NE(row.notes.back().find("loading the model takes 40 s"), std::string::npos);
  EXPECT_NE(row.notes.back().find("of one process"), std::string::npos);
  // Too few samples are too few, in one round or in five.
  const Row few = assemble(planned_model(1), "w", {}, {round_of(1000, 0, 5)}, std::nullopt);
  EXPECT_FALSE(few.time.ci_low_ns);
  EXPECT_TRUE(few.has(Flag::few_samples));
  // One round of several is no such row.
  const Row cut = assemble(planned_model(3), "w", {}, {round_of(1000, 0)}, std::nullopt);
  EXPECT_FALSE(cut.time.ci_low_ns);
  EXPECT_TRUE(cut.has(Flag::few_samples));
}

TEST(Assemble, RoundsThatDisagreeAreImprecise) {
  EXPECT_TRUE(
      row_from({round_of(1000, 0), round_of(1200, 1), round_of(900, 2)}).has(Flag::imprecise));
  EXPECT_FALSE(
      row_from({round_of(1000, 0), round_of(1001, 1), round_of(999, 2)}).has(Flag::imprecise));
}

TEST(Assemble, DriftIsFlagged) {
  std::vector<KeptRound> rounds;
  for (int i = 0; i < 6; ++i) rounds.push_back(round_of(1000 * (1 + 0.05 * i), i));
  EXPECT_TRUE(row_from(rounds).has(Flag::drift));
}

TEST(Assemble, OutliersAreCountedAndKept) {
  std::vector<KeptRound> rounds;
  for (int r = 0; r < 3; ++r) {
    rounds.push_back(round_of(1000, r));
    auto& ns = rounds.back().outcome.ns;
    for (size_t i = 0; i < ns.size(); i += 10) ns[i] *= 3;
  }
  const Row row = row_from(rounds);
  EXPECT_EQ(row.time.outliers_severe, 120);
  EXPECT_TRUE(row.has(Flag::outliers));
  EXPECT_EQ(row.time.n, 1200);
  EXPECT_GT(*row.time.max_ns, 2900);
}

TEST(Assemble, WarmUpIsLeftOutAndReported) {
  KeptRound round = round_of(1000, 0);
  for (int64_t i = 0; i < 100; ++i) round.outcome.ns[static_cast<size_t>(i)] = 5000;
  round.outcome.first_steady = 100;
  round.outcome.ops_per_sample = 10;
  const Row row = row_from({round});
  EXPECT_EQ(row.time.n, 300);
  EXPECT_EQ(row.time.warmup_samples, 100);
  EXPECT_NEAR(row.time.warmup_s, 100 * 5000 * 10 * 1e-9, 1e-9);
  EXPECT_LT(*row.time.max_ns, 1100);
}

TEST(Assemble, FlagsOfRoundsAreTheRows) {
  KeptRound round = round_of(1000, 0);
  round.outcome.timer_limited = true;
  round.outcome.cache_not_cold = true;
  const Row row = row_from({round_of(1000, 1), round});
  EXPECT_TRUE(row.has(Flag::timer_limited));
  EXPECT_TRUE(row.has(Flag::cache_not_cold));
}

TEST(Assemble, AnIncorrectRowHasNoRate) {
  RoundOutcome wrong;
  wrong.status = Status::incorrect;
  wrong.reason = "c[3] of copy 0 is 1 where 2 belongs";
  wrong.check.verdict = CheckOutcome::Verdict::wrong;
  wrong.check.detail = wrong.reason;
  wrong.prepared.kernel = "bad kernel";
  for (const auto& rounds : {std::vector<KeptRound>{}, std::vector{round_of(1000, 0)},
                             std::vector{round_of(1, 0), round_of(1, 1), round_of(1, 2)}}) {
    const Row row = row_from(rounds, wrong);
    EXPECT_EQ(row.status, Status::incorrect);
    EXPECT_TRUE(row.has(Flag::incorrect));
    EXPECT_FALSE(row.rate.value || row.rate.ci_low || row.rate.ci_high);
    EXPECT_EQ(row.check.verdict, CheckOutcome::Verdict::wrong);
    EXPECT_TRUE(row.reason.starts_with(wrong.reason));
    EXPECT_FALSE(row.kernel.empty());
  }
}

TEST(Assemble, AFailureTellsCauseAndLastWords) {
  RoundOutcome crash;
  crash.status = Status::failed;
  crash.reason = "time: killed by signal 11 (Segmentation fault)";
  crash.stderr_tail = {"one", "two"};
  const Row row = row_from({round_of(1000, 0), round_of(1000, 1)}, crash);
  EXPECT_EQ(row.status, Status::failed);
  EXPECT_EQ(row.stderr_tail, crash.stderr_tail);
  EXPECT_TRUE(row.reason.starts_with(crash.reason));
  EXPECT_TRUE(row.time.median_ns);
  EXPECT_FALSE(row.rate.value);
  EXPECT_FALSE(row.has(Flag::incorrect));
}

TEST(Assemble, WhatWasSkippedSaysWhy) {
  PlannedRow planned = planned_gemm();
  planned.skip = "no such thing here";
  const Row row = assemble(planned, "w", {}, {}, std::nullopt);
  EXPECT_EQ(row.status, Status::unsupported);
  EXPECT_EQ(row.reason, "no such thing here");
  EXPECT_TRUE(row.flags.empty());
}

TEST(Assemble, WhatWasNeverMeasuredFailed) {
  const Row row = row_from({});
  EXPECT_EQ(row.status, Status::failed);
  EXPECT_FALSE(row.reason.empty());
  EXPECT_FALSE(row.time.median_ns);
}

}  // namespace
