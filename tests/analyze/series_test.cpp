// Rows whose truth is known, put together.

#include "analyze/series.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "base/random.h"
#include "cache_truth.h"

namespace {

using namespace ridge;

Row row_of(Workload work, double ns, int rounds, uint64_t salt, double noise = 0.005) {
  Row row;
  row.work = work;
  row.worker = "w";
  row.device = "0";
  row.status = Status::ok;
  row.time.median_ns = ns;
  const TensorKey key = tensor_key(1, salt, 0, "noise");
  for (int r = 0; r < rounds; ++r) {
    row.time.round_medians_ns.push_back(ns * (1 + noise * (2 * random_uniform(key, r) - 1)));
  }
  return row;
}

TEST(CallCosts, AreFoundPerWorkerAndSetting) {
  std::vector<Row> rows;
  for (const int64_t k : {256, 1, 2, 4, 8, 16, 32, 64, 128}) {
    const auto calls = static_cast<double>(k);
    // One row had a further round.
    rows.push_back(
        row_of(Dispatch{k}, 5000 + 120 * calls, k == 8 ? 6 : 5, static_cast<uint64_t>(k)));
    Row other = row_of(Dispatch{k}, 900 + 40 * calls, 5, static_cast<uint64_t>(1000 + k));
    other.settings.graph = true;
    rows.push_back(other);
  }
  rows.push_back(row_of(Gemm{.m = 1, .n = 1, .k = 1}, 5, 5, 3));
  const auto costs = call_costs(rows);
  ASSERT_EQ(costs.size(), 2u);
  for (const CallCost& cost : costs) {
    const bool graph = cost.settings.find("graph") != std::string::npos;
    ASSERT_EQ(cost.line.verdict, stats::LineVerdict::fits);
    EXPECT_EQ(cost.calls.front(), 1);
    EXPECT_EQ(cost.calls.back(), 256);
    EXPECT_NEAR(cost.line.a, graph ? 900 : 5000, graph ? 30 : 120);
    EXPECT_NEAR(cost.line.b, graph ? 40 : 120, 1.5);
  }
}

TEST(CallCosts, OfFailedRowsOrASinglePointAreNone) {
  EXPECT_TRUE(call_costs({}).empty());
  EXPECT_TRUE(call_costs({row_of(Dispatch{1}, 100, 5, 1)}).empty());
  Row failed = row_of(Dispatch{2}, 100, 5, 1);
  failed.status = Status::failed;
  EXPECT_TRUE(call_costs({row_of(Dispatch{1}, 100, 5, 1), failed}).empty());
}

using cache_truth::sizes;
using cache_truth::sweep_row;

std::vector<Row> chases(int64_t least = 4096, int64_t most = 16 << 20) {
  std::vector<Row> rows;
  for (const int64_t bytes : sizes(least, most)) {
    rows.push_back(sweep_row(WorkingSet::Op::chase, bytes, cache_truth::latency(bytes)));
  }
  return rows;
}

TEST(CacheCurves, AreTimesOfAnAccessOrAByteInRisingOrder) {
  std::vector<Row> rows;
  for (const int64_t kib : {64, 4, 16}) {
    Row chase;
    chase.work = WorkingSet{WorkingSet::Op::chase, kib << 10};
    chase.worker = "w";
    chase.device = "0";
    chase.status = Status::ok;
    chase.cost = cost(chase.work, {});
    // 64 KiB are 1024 lines, and 1024 + 128 + 1 steps; fewer lines are walked 1025 steps.
    chase.time.median_ns = kib == 64 ? 1153 * 7.0 : 1025 * 3.0;
    chase.time.round_medians_ns = {*chase.time.median_ns};
    rows.push_back(chase);
    Row read = chase;
    read.work = WorkingSet{WorkingSet::Op::read, kib << 10};
    read.cost = cost(read.work, {});
    read.time.median_ns = 512.0 * static_cast<double>(kib);
    rows.push_back(read);
  }
  const auto curves = cache_curves(rows);
  ASSERT_EQ(curves.size(), 2u);
  for (const CacheCurve& curve : curves) {
    EXPECT_EQ(curve.bytes, (std::vector<double>{4096, 16384, 65536}));
    EXPECT_FALSE(curve.cliffs) << "three sizes tell nothing";
    const bool chase = curve.op == WorkingSet::Op::chase;
    EXPECT_EQ(curve.ns, chase ? (std::vector<double>{3, 3, 7}) : std::vector<double>(3, 0.5));
  }
  EXPECT_NE(curves[0].op, curves[1].op);
}

TEST(CacheCurves, AreOfOneWorkerDeviceAndSettingEach) {
  std::vector<Row> rows;
  for (const Row& row : chases()) {
    for (int i = 0; i < 4; ++i) {
      Row other = row;
      if (i == 1) other.worker = "v";
      if (i == 2) other.device = "1";
      if (i == 3) other.settings.cache = CacheMode::hot;
      rows.push_back(other);
    }
  }
  rows.push_back(row_of(Gemm{.m = 1, .n = 1, .k = 1}, 5, 5, 3));
  const auto curves = cache_curves(rows);
  ASSERT_EQ(curves.size(), 4u);
  std::set<std::string> names;
  for (const CacheCurve& curve : curves) {
    names.insert(curve.worker + curve.device + curve.settings);
    EXPECT_EQ(curve.bytes.size(), chases().size());
  }
  EXPECT_EQ(names.size(), 4u);
}

TEST(CacheCurves, FindTheCachesThatAreThere) {
  const auto chase = cache_curves(chases());
  ASSERT_EQ(chase.size(), 1u);
  ASSERT_TRUE(chase[0].cliffs);
  const auto& cliffs = chase[0].cliffs->cliffs;
  ASSERT_EQ(cliffs.size(), 2u);
  EXPECT_NEAR(cliffs[0].capacity.value / cache_truth::kFirst, 1, 0.05);
  EXPECT_NEAR(cliffs[1].capacity.value / cache_truth::kSecond, 1, 0.05);
  EXPECT_NEAR(cliffs[1].after / cache_truth::kMemoryNs, 1, 0.05);

  std::vector<Row> rows;  // in order: a step, known to a gap between sizes
  for (const int64_t bytes : sizes(4096, 16 << 20)) {
    rows.push_back(sweep_row(WorkingSet::Op::read, bytes, bytes <= (1 << 20) ? 0.02 : 0.1));
  }
  const auto read = cache_curves(rows);
  ASSERT_EQ(read[0].cliffs->cliffs.size(), 1u);
  EXPECT_NEAR(std::log2(read[0].cliffs->cliffs[0].capacity.value), 20, 0.26);
}

TEST(CacheCurves, NeedTwelveSizes) {
  auto rows = chases();
  rows.resize(12);
  EXPECT_TRUE(cache_curves(rows)[0].cliffs);
  rows.pop_back();
  EXPECT_FALSE(cache_curves(rows)[0].cliffs);
  EXPECT_TRUE(cache_curves({}).empty());
}

// Each in the midst of a good sweep: the others tell what they told.
TEST(CacheCurves, ARowWithoutAUsableTimeCostsNoOther) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto good = chases();
  auto without = good;
  without.erase(without.begin() + 20);
  const auto wanted = cache_curves(without);
  const auto expect_left_out = [&](const char* what, auto&& spoil) {
    auto rows = good;
    spoil(rows[20]);
    const auto curves = cache_curves(rows);
    ASSERT_EQ(curves.size(), 1u) << what;
    EXPECT_EQ(curves[0].bytes, wanted[0].bytes) << what;
    EXPECT_EQ(curves[0].ns, wanted[0].ns) << what;
    ASSERT_TRUE(curves[0].cliffs) << what;
    EXPECT_EQ(curves[0].cliffs->cliffs.size(), 2u) << what;
  };
  expect_left_out("failed", [](Row& row) { row.status = Status::failed; });
  expect_left_out("incorrect", [](Row& row) { row.status = Status::incorrect; });
  expect_left_out("no median", [](Row& row) { row.time.median_ns.reset(); });
  expect_left_out("no rounds", [](Row& row) { row.time.round_medians_ns.clear(); });
  expect_left_out("no cost", [](Row& row) { row.cost = {}; });
  for (const double bad : {kNaN, kInfinity, 0.0, -5.0}) {
    expect_left_out("median", [&](Row& row) { row.time.median_ns = bad; });
    expect_left_out("round", [&](Row& row) { row.time.round_medians_ns[1] = bad; });
  }
  Row alone = good[0];
  alone.time.median_ns = kNaN;
  EXPECT_TRUE(cache_curves({alone}).empty());
}

TEST(CacheCurves, OfVeryManyRows) {
  std::vector<Row> rows;
  for (int device = 0; device < 50; ++device) {
    for (Row row : chases()) {
      row.device = std::to_string(device);
      rows.push_back(std::move(row));
    }
  }
  const auto curves = cache_curves(rows);
  ASSERT_EQ(curves.size(), 50u);
  for (const CacheCurve& curve : curves) EXPECT_EQ(curve.cliffs->cliffs.size(), 2u);
}

}  // namespace
