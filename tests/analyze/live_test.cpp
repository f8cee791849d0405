// What a live comparison says of rows whose truth is known.

#include "analyze/live.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "synthetic.h"

namespace {

using namespace ridge;
using stats::SpeedVerdict;

Gemm product(int64_t size) { return {.dtype = DType::f32, .m = size, .n = size, .k = size}; }

// A row with two visits in each of `rounds` rounds, as the machine's speed `drift(round)` has them.
Row visited(
    int64_t size, double ns, int rounds, uint64_t salt,
    double (*drift)(int) = [](int) { return 1.0; }) {
  Row row =
      synthetic::row(product(size), {.ns = ns, .cv = 0.005, .rounds = 2 * rounds, .salt = salt});
  for (int i = 0; i < 2 * rounds; ++i)
    row.time.round_medians_ns[static_cast<size_t>(i)] *= drift(i / 2);
  return row;
}

LiveRow judged(const Row& a, const Row& b) {
  return judge_live(std::vector{a}, std::vector{b}).at(0);
}

ridge::Run side(const std::string& which, std::vector<Row> rows, const std::string& id = "11") {
  ridge::Run run = synthetic::run(std::move(rows));
  run.path = which + ".jsonl";
  for (const Row& row : run.rows) run.header.row_keys.push_back(row.row_key());
  run.header.settings.set("live", Json::object().set("id", id).set("side", which));
  return run;
}

TEST(LiveVerdict, FindsAPlantedRatioAndSwapsWithItsSides) {
  for (const double ratio : {0.8, 0.95, 1.05, 1.3}) {
    const Row a = visited(64, 1e6, 10, 1), b = visited(64, 1e6 / ratio, 10, 2);
    const LiveRow there = judged(a, b), back = judged(b, a);
    ASSERT_TRUE(there.speedup && back.speedup);
    EXPECT_NEAR(there.speedup->ratio.value, ratio, 0.01);
    EXPECT_LE(there.speedup->ratio.interval.lo, ratio);
    EXPECT_GE(there.speedup->ratio.interval.hi, ratio);
    EXPECT_EQ(there.verdict, ratio > 1 ? SpeedVerdict::faster : SpeedVerdict::slower);
    EXPECT_EQ(back.verdict, ratio > 1 ? SpeedVerdict::slower : SpeedVerdict::faster);
    EXPECT_NEAR(there.speedup->ratio.value * back.speedup->ratio.value, 1, 1e-9);
    EXPECT_EQ(there.rounds, 10);
    EXPECT_NEAR(*there.a_ns, 1e6, 5e3);
    EXPECT_NEAR(*there.b_ns, 1e6 / ratio, 5e3 / ratio);
    EXPECT_DOUBLE_EQ(*there.rate_a.value, 2 * 64.0 * 64 * 64 * 1e9 / *there.a_ns);
    EXPECT_EQ(back.a_ns, there.b_ns);
  }
}

TEST(LiveVerdict, NothingPlantedIsTheSame) {
  std::vector<Row> a, b;
  for (int64_t size = 1; size <= 100; ++size) {
    const auto salt = static_cast<uint64_t>(size);
    a.push_back(visited(size, 1e6, 10, 2 * salt));
    b.push_back(visited(size, 1e6, 10, 2 * salt + 1));
  }
  int same = 0;
  double least_p = 1, least_adjusted = 1;
  for (const LiveRow& row : judge_live(a, b)) {
    least_p = std::min(least_p, row.speedup->p_value);
    least_adjusted = std::min(least_adjusted, row.adjusted_p);
    same += row.verdict == SpeedVerdict::same;
    EXPECT_TRUE(row.verdict != SpeedVerdict::faster && row.verdict != SpeedVerdict::slower);
    EXPECT_GE(row.adjusted_p, row.speedup->p_value);
  }
  EXPECT_GE(same, 80);
  EXPECT_DOUBLE_EQ(least_adjusted, std::min(1.0, 100 * least_p)) << "Holm's first step";
}

// The machine loses a third of its speed meanwhile, on both sides.
TEST(LiveVerdict, ADriftThatBothSidesShareCancels) {
  const auto drift = [](int round) { return 1 + 0.05 * round; };
  const LiveRow alike = judged(visited(64, 1e6, 8, 1, drift), visited(64, 1e6, 8, 2, drift));
  EXPECT_EQ(alike.verdict, SpeedVerdict::same);
  EXPECT_LT(alike.band, 0.03);
  EXPECT_EQ(judged(visited(64, 1e6, 8, 1, drift), visited(64, 1.05e6, 8, 2, drift)).verdict,
            SpeedVerdict::slower);
}

// What a round was cut short after has no counterpart: it changes nothing.
TEST(LiveVerdict, HalvesOfRoundsAreLeftOut) {
  const Row a = visited(64, 1e6, 6, 1), b = visited(64, 1.1e6, 6, 2);
  const LiveRow whole = judged(a, b);
  Row more_a = a, more_b = b;
  more_a.time.round_medians_ns.push_back(9e9);
  for (const auto& [x, y] : {std::pair(more_a, b), std::pair(more_a, more_b)}) {
    const LiveRow cut = judged(x, y);
    EXPECT_EQ(cut.rounds, 6);
    EXPECT_EQ(cut.a_ns, whole.a_ns);
    EXPECT_EQ(cut.speedup->ratio.value, whole.speedup->ratio.value);
  }
  more_b.time.round_medians_ns.insert(more_b.time.round_medians_ns.end(), {1, 1});
  EXPECT_EQ(judged(more_a, more_b).rounds, 6) << "B's seventh round, which A has but half of";
  more_b.time.round_medians_ns.resize(4);
  EXPECT_EQ(judged(a, more_b).rounds, 2);
}

TEST(LiveVerdict, SaysWhyThereIsNone) {
  const Row good = visited(64, 1e6, 6, 1);
  const auto reason = [&](int rounds) {
    const LiveRow row = judged(visited(64, 1e6, rounds, 1), good);
    EXPECT_FALSE(row.speedup);
    EXPECT_EQ(row.status, Status::ok);
    EXPECT_EQ(row.verdict, SpeedVerdict::unclear);
    return row.reason;
  };
  EXPECT_EQ(reason(0), "no whole round");
  EXPECT_EQ(reason(1), "1 whole round, and a verdict takes 3");
  EXPECT_EQ(reason(2), "2 whole rounds, and a verdict takes 3");
  Row bad = good, cannot = good;
  bad.status = Status::incorrect;
  bad.reason = "c[3] is NaN";
  cannot.status = Status::unsupported;
  cannot.reason = "no f32";
  EXPECT_EQ(judged(good, bad).reason, "B: incorrect: c[3] is NaN");
  EXPECT_EQ(judged(good, bad).status, Status::incorrect);
  EXPECT_EQ(judged(cannot, bad).reason, "A: unsupported: no f32; B: incorrect: c[3] is NaN");
  EXPECT_EQ(judged(bad, cannot).status, Status::incorrect) << "the worse of the two";
  EXPECT_EQ(judged(cannot, good).status, Status::unsupported);
  EXPECT_FALSE(judged(bad, good).a_ns);
}

TEST(LiveVerdict, RowsThatFailedCountForNothingInTheOthers) {
  const Row a = visited(64, 1e6, 8, 1), b = visited(64, 1.03e6, 8, 2);
  Row bad = a;
  bad.status = Status::failed;
  const auto rows = judge_live(std::vector(30, bad), std::vector(30, bad));
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const LiveRow& r) { return !!r.speedup; }),
            0);
  std::vector<Row> of_a(20, bad), of_b(20, bad);
  of_a.push_back(a);
  of_b.push_back(b);
  EXPECT_EQ(judge_live(of_a, of_b).back().adjusted_p, judged(a, b).adjusted_p);
}

TEST(LiveSides, PairsFollowTheHeadersOrder) {
  // Measured in another order, and B with other settings, so that no key is the same.
  std::vector<Row> a, b;
  for (const int64_t size : {16, 32, 64}) {
    a.push_back(visited(size, 1e6, 6, 1));
    b.push_back(visited(size, size == 32 ? 2e6 : 1e6, 6, 2));
    b.back().settings.form = Form::packed;
  }
  ridge::Run of_a = side("A", a), of_b = side("B", b);
  std::reverse(of_b.rows.begin(), of_b.rows.end());
  EXPECT_EQ(live_side(of_a.header), "A");
  EXPECT_EQ(live_side(of_b.header), "B");
  const auto rows = judge_live(of_a, of_b);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*rows)[i].key_a, a[i].row_key());
    EXPECT_EQ((*rows)[i].key_b, b[i].row_key());
    EXPECT_EQ((*rows)[i].verdict, i == 1 ? SpeedVerdict::slower : SpeedVerdict::same) << i;
  }
  of_b.rows.pop_back();  // the first: it was never measured to the end of a round
  const auto fewer = judge_live(of_a, of_b);
  ASSERT_TRUE(fewer);
  ASSERT_EQ(fewer->size(), 2u);
  EXPECT_EQ((*fewer)[0].verdict, SpeedVerdict::slower);
}

TEST(LiveSides, WhatIsNotOneComparisonIsAnError) {
  const std::vector<Row> rows = {visited(64, 1e6, 6, 1)};
  const ridge::Run a = side("A", rows), b = side("B", rows);
  ridge::Run plain = synthetic::run(rows), longer = b;
  plain.path = "plain.jsonl";
  longer.header.row_keys.push_back("gemm/f32/1x1x1@cpu:0/cold/pipelined");
  EXPECT_EQ(live_side(plain.header), "");
  const auto says = [](const ridge::Run& x, const ridge::Run& y) {
    const auto found = judge_live(x, y);
    return found ? "" : found.error().message;
  };
  EXPECT_EQ(says(a, b), "");
  EXPECT_EQ(says(b, a), "B.jsonl: is not side A of a live comparison");
  EXPECT_EQ(says(a, a), "A.jsonl: is not side B of a live comparison");
  EXPECT_EQ(says(plain, b), "plain.jsonl: is not side A of a live comparison");
  EXPECT_EQ(says(a, plain), "plain.jsonl: is not side B of a live comparison");
  EXPECT_EQ(says(a, side("B", rows, "12")),
            "A.jsonl and B.jsonl are sides of different live comparisons");
  EXPECT_EQ(says(a, longer), "A.jsonl and B.jsonl do not name the same number of rows");
}

}  // namespace
