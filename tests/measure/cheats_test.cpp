// Workers that cheat. Each is caught: `incorrect`, `failed`, or the flag that says what is wrong
// with the number. docs/method.md says what cannot be caught.

#include <gtest/gtest.h>

#include <fstream>

#include "measure/peaks.h"
#include "sim_runs.h"

namespace {

using namespace ridge;
using sim_test::Environment;
using sim_test::gemm;
using sim_test::hot;
using sim_test::visit;

Workload stream(Stream::Op op, int64_t bytes) { return Stream{.op = op, .bytes = bytes}; }

void expect_incorrect(const Row& row, const std::string& why = "") {
  SCOPED_TRACE(row.row_key());
  EXPECT_EQ(row.status, Status::incorrect) << row.reason;
  EXPECT_TRUE(row.has(Flag::incorrect));
  EXPECT_FALSE(row.rate.value);
  EXPECT_FALSE(row.rate.ci_low);
  EXPECT_NE(row.reason.find(why), std::string::npos) << row.reason;
}

// Nothing is said against an honest worker; `cold` may be too much for tiny operands.
void expect_ok(const Row& row) {
  EXPECT_EQ(row.status, Status::ok) << row.row_key() << ": " << row.reason;
  EXPECT_TRUE(row.rate.value);
  EXPECT_EQ(row.check.verdict, CheckOutcome::Verdict::passed);
  // A visit that was cut off by what else the machine did may not have come round to all copies.
  if ((row.time.n + row.time.warmup_samples) * row.time.ops_per_sample >= row.copies) {
    EXPECT_EQ(row.has(Flag::cache_not_cold), row.settings.cache == CacheMode::cold &&
                                                 row.copies == 4096 &&
                                                 row.cost.footprint * 4096 < 512 << 10);
  }
  EXPECT_FALSE(row.has(Flag::fallback_timer));
}

TEST(Honest, EveryOperationPasses) {
  for (const Settings& settings : {Settings{}, hot(), Settings{.timing = Timing::isolated}}) {
    for (const Workload& work :
         {gemm(64, 64, 64), gemm(33, 17, 65, DType::f64), gemm(1, 1, 1), gemm(200, 100, 300),
          Workload(Gemm{.layout = Gemm::Layout::nt, .m = 9, .n = 8, .k = 7}),
          stream(Stream::Op::read, 1 << 20), stream(Stream::Op::write, 256),
          stream(Stream::Op::copy, 1 << 16), stream(Stream::Op::triad, 33024)}) {
      expect_ok(visit("honest", work, settings));
    }
  }
}

TEST(Honest, ADeviceClockThatAgreesIsUsed) {
  const Row row = visit("honest-device", gemm(64, 64, 64));
  expect_ok(row);
}

// The kernel is wrong, on small shapes (checked whole) and on larger ones (sampled).
TEST(Cheat, WrongKernels) {
  for (const std::string mode : {"transpose", "zero-fill", "zero-inputs", "tile"}) {
    expect_incorrect(visit(mode, gemm(64, 64, 64)), "c[");
    expect_incorrect(visit(mode, gemm(64, 64, 64, DType::f64), hot()), "c[");
  }
  for (const std::string mode : {"transpose", "zero-fill", "zero-inputs", "last-column"}) {
    expect_incorrect(visit(mode, gemm(160, 160, 200)), "c[");
  }
  // A matrix of one row: its transposition moves nothing but what it is multiplied with.
  expect_incorrect(visit("transpose", gemm(1, 64, 64)), "c[");
  expect_incorrect(visit("last-column", gemm(1, 512, 300)), "c[");
}

TEST(Cheat, WrongStreams) {
  for (const Stream::Op op :
       {Stream::Op::read, Stream::Op::write, Stream::Op::copy, Stream::Op::triad}) {
    for (const std::string mode : {"zero-fill", "stale", "previous", "one-copy"}) {
      expect_incorrect(visit(mode, stream(op, 1 << 20)), "copy ");
    }
  }
}

// What is left over from before: of the check, of the call before, of another copy.
TEST(Cheat, StaleAnswers) {
  for (const std::string mode : {"stale", "previous"}) {
    expect_incorrect(visit(mode, gemm(64, 64, 64)), "c[");
    expect_incorrect(visit(mode, gemm(64, 64, 64), hot()), "c[");
    expect_incorrect(visit(mode, gemm(400, 40, 40)), "c[");
  }
}

TEST(Cheat, LessPrecision) {
  for (const std::string mode : {"bf16", "tf32"}) {
    expect_incorrect(visit(mode, gemm(64, 64, 64)), "c[");
    expect_incorrect(visit(mode, gemm(256, 128, 512)), "c[");
    expect_incorrect(visit(mode, gemm(64, 64, 64, DType::f64)), "c[");
    expect_incorrect(visit(mode, gemm(8, 8, 1)), "c[");
  }
}

// The reason names the switch, also where only some elements are looked at.
TEST(Cheat, LowerPrecisionIsNamed) {
  for (const auto& work : {gemm(64, 64, 64), gemm(256, 128, 512)}) {
    expect_incorrect(visit("tf32", work), "the error is that of TF32 products, not of f32");
    expect_incorrect(visit("bf16", work), "the error is that of bf16 products, not of f32");
    for (const std::string mode : {"transpose", "zero-fill", "last-column"}) {
      const Row row = visit(mode, work);
      EXPECT_EQ(row.status, Status::incorrect);
      EXPECT_EQ(row.reason.find("the error is that of"), std::string::npos) << row.reason;
    }
  }
}

// `cold` claimed, with operands that never leave the cache.
TEST(Cheat, WarmOperandsCalledCold) {
  expect_incorrect(visit("one-copy", gemm(64, 64, 64)), "of copy ");
  expect_incorrect(visit("only-first", gemm(64, 64, 64)), "of copy ");
  EXPECT_TRUE(visit("one-copy-said", gemm(64, 64, 64)).has(Flag::cache_not_cold));
  EXPECT_FALSE(visit("one-copy-said", gemm(64, 64, 64), hot()).has(Flag::cache_not_cold));
  const Row huge = visit("huge-copies", gemm(64, 64, 64));
  EXPECT_EQ(huge.status, Status::failed) << "copies that nobody ever touched";
}

TEST(Cheat, AnUnknownCacheIsNeverCold) {
  const Environment environment{{"RIDGE_TEST_CACHE", "0"}};
  EXPECT_TRUE(visit("honest", gemm(64, 64, 64)).has(Flag::cache_not_cold));
  EXPECT_FALSE(visit("honest", gemm(64, 64, 64), hot()).has(Flag::cache_not_cold));
}

TEST(Cheat, AnAbsurdCacheIsNoHello) {
  for (const std::string bytes : {"-1", "4611686018427387904"}) {
    const Environment environment{{"RIDGE_TEST_CACHE", bytes}};
    const Row row = visit("honest", gemm(64, 64, 64));
    EXPECT_EQ(row.status, Status::failed);
    EXPECT_NE(row.reason.find("cache_bytes"), std::string::npos) << row.reason;
  }
}

// Calls that return before the work is done.
TEST(Cheat, EarlyReturn) {
  const Environment slow{{"RIDGE_TEST_SLEEP", "60"}, {"RIDGE_TEST_CACHE", "4096"}};
  expect_incorrect(visit("early-unjoined", gemm(64, 64, 64)), "c[");
  expect_incorrect(visit("early", gemm(64, 64, 64), {}, 0.2), "on fresh inputs");
  expect_incorrect(visit("early", gemm(64, 64, 64), hot(), 0.2), "on fresh inputs");
}

// Inputs are the same as a moment ago, so the answer is still there: right, and not computed.
TEST(Cheat, RememberedAnswers) {
  const Environment slow{{"RIDGE_TEST_SLEEP", "60"}, {"RIDGE_TEST_CACHE", "4096"}};
  for (const Settings& settings : {Settings{}, hot(), Settings{.timing = Timing::isolated}}) {
    expect_incorrect(visit("remember", gemm(64, 64, 64), settings, 0.4), "on fresh inputs");
  }
}

// The clock is stopped while the work is done.
TEST(Cheat, TimeOutsideOfTheSamples) {
  expect_incorrect(visit("short-times", gemm(64, 64, 64), {}, 0.3), "time went by outside");
}

TEST(Cheat, ADeviceClockThatDisagreesIsNotBelieved) {
  for (const std::string mode : {"fast-device", "slow-device", "some-device"}) {
    const double seconds = mode == "some-device" ? 0.6 : 0.1;  // it takes two events
    const Row row = visit(mode, gemm(64, 64, 64), {}, seconds);
    const Row honest = visit("honest", gemm(64, 64, 64), {}, 0.1);
    EXPECT_EQ(row.status, Status::ok) << row.reason;
    EXPECT_TRUE(row.has(Flag::fallback_timer)) << mode;
    ASSERT_TRUE(row.time.median_ns && honest.time.median_ns);
    // Not a question of speed: the lie is a factor of 20.
    EXPECT_GT(*row.time.median_ns, *honest.time.median_ns / 5) << mode;
    EXPECT_LT(*row.time.median_ns, *honest.time.median_ns * 5) << mode;
  }
}

TEST(Cheat, ImpossibleTimesEndTheRow) {
  for (const std::string mode :
       {"nan-times", "zero-times", "negative-times", "overlap", "disorder", "uneven", "no-copies",
        "few-values", "text-values", "huge-times", "negative-ops", "negative-held", "negative-run",
        "negative-prepare", "negative-peak", "started-late", "never-started"}) {
    const Row row = visit(mode, gemm(16, 16, 16));
    EXPECT_EQ(row.status, Status::failed) << mode;
    EXPECT_FALSE(row.rate.value) << mode;
    EXPECT_FALSE(row.reason.empty()) << mode;
  }
  expect_incorrect(visit("null-values", gemm(16, 16, 16)), "nan");
}

TEST(Cheat, AClockThatClaimsToBeSlowSubtractsNothing) {
  const Row row = visit("huge-clock", gemm(16, 16, 16), {.timing = Timing::isolated});
  EXPECT_EQ(row.status, Status::failed);
  EXPECT_NE(row.reason.find("clock_overhead_ns"), std::string::npos) << row.reason;
}

// A worker that is right and honest about its time, on a device that cannot be so fast: a fake chip
// of the simulated device's name.
TEST(Cheat, FasterThanTheChip) {
  Chip chip;
  chip.id = chip.name = "Slow One";
  chip.models = {{"simulated", {}}};
  chip.peaks = {{.dtype = "f32", .flops = 1e15, .source = "maker"}};
  MemoryBandwidth memory;
  memory.bytes_per_s = 1;
  memory.source = "maker";
  chip.bandwidth = memory;
  Machine machine;
  machine.nvidia.devices.resize(1);
  machine.nvidia.devices[0].name = "simulated";
  const std::vector<SuiteItem> items{{gemm(64, 64, 64), {}},
                                     {gemm(64, 64, 64, DType::f64), {}},
                                     {stream(Stream::Op::copy, 1 << 20), {}},
                                     {stream(Stream::Op::copy, 1 << 20), hot()}};
  for (const bool slow : {false, true}) {
    SCOPED_TRACE(slow ? "slow" : "fast");
    if (slow) chip.peaks[0].flops = 1;
    ChipDatabase database;
    database.sources = {{.id = "maker", .title = "The maker's data sheet"}};
    database.chips = {chip};
    const auto effort = sim_test::effort_of(1, 1);
    Plan plan = make_plan(sim_test::query_of(items), effort);
    add_ceilings(plan, database, machine);
    Schedule schedule;
    for (size_t i = 0; i < plan.rows.size(); ++i) {
      plan.rows[i].seconds = 0.02;
      schedule.push_back({i, 0});
    }
    Runner runner(plan, {}, [] { return false; });
    runner.run(schedule);
    const auto rows = runner.rows();
    for (size_t i = 0; i < rows.size(); ++i) {
      SCOPED_TRACE(rows[i].row_key());
      const bool above = (i == 0 && slow) || i == 2;
      EXPECT_EQ(rows[i].status, above ? Status::incorrect : Status::ok) << rows[i].reason;
      EXPECT_EQ(rows[i].has(Flag::above_peak), above);
      EXPECT_EQ(rows[i].rate.value.has_value(), !above);
      EXPECT_EQ(rows[i].reason.find("Slow One") != std::string::npos, above) << rows[i].reason;
      EXPECT_EQ(rows[i].reason.find("The maker's data sheet") != std::string::npos, above);
    }
  }
}

}  // namespace
