// Rows whose truth is known, put together.

#include "analyze/series.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

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

}  // namespace
