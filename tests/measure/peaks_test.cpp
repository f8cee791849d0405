// Rates above what the chip can do: none is shown, and the row says why.

#include "measure/peaks.h"

#include <gtest/gtest.h>

#include <cmath>

#include "measure/assemble.h"
#include "mistral_7b.h"

namespace {

using namespace ridge;

Ceilings h100() {
  Ceilings out;
  out.chip = "H100 SXM";
  out.compute = {{"bf16", 528.0 * 1024, "528 tensor cores x 1024 FLOP a clock", 989.4e12, 1.83e9,
                  "its datasheet"},
                 {"fp8", 528.0 * 2048, "528 tensor cores x 2048 FLOP a clock", 1979e12, 1.83e9,
                  "its datasheet"},
                 {"int8", 528.0 * 2048, "528 tensor cores x 2048 FLOP a clock", 1979e12, 1.83e9,
                  "its datasheet"}};
  out.maximum_hz = 1.98e9;
  out.bytes_per_s = 3.35e12;
  out.memory_source = "its datasheet";
  out.cache_bytes = 50 << 20;
  return out;
}

PlannedRow planned(const Workload& work, const Settings& settings = {},
                   const Ceilings& ceilings = h100()) {
  PlannedRow row;
  row.device = "cuda:0";
  row.work = work;
  row.settings = settings;
  row.cache_bytes = 50 << 20;
  row.ceilings = std::make_shared<const Ceilings>(ceilings);
  return row;
}

const Workload kProduct = Gemm{.dtype = DType::bf16, .m = 8192, .n = 8192, .k = 8192};
const Workload kCopy = Stream{.op = Stream::Op::copy, .bytes = 1 << 30};

// Rounds at that rate, each a little off by its factor.
Row at_rate(const PlannedRow& row, double rate, const std::vector<double>& factors = {1, 1, 1},
            int64_t copies = 2, const std::optional<std::string>& executed = {},
            std::optional<double> clock_mhz = {}) {
  const double ns = cost(row.work, row.settings).rate_work() / rate * 1e9;
  std::vector<KeptRound> rounds;
  for (const double factor : factors) {
    KeptRound round;
    round.at_s = 10.0 * static_cast<double>(rounds.size());
    round.outcome.check.verdict = CheckOutcome::Verdict::passed;
    round.outcome.prepared.copies = copies;
    round.outcome.prepared.executed_dtype = executed;
    round.outcome.watched.telemetry.clock_max_mhz = clock_mhz;
    for (int i = 0; i < 100; ++i) {
      round.outcome.start_ns.push_back(i * ns);
      round.outcome.ns.push_back(ns * factor * (1 + 1e-4 * (i % 7 - 3)));
    }
    rounds.push_back(round);
  }
  return assemble(row, "torch", {}, rounds, std::nullopt);
}

const Workload kBackward = Attention{.dtype = DType::bf16,
                                     .batch = 4,
                                     .heads = 32,
                                     .kv_heads = 8,
                                     .seq_q = 4096,
                                     .seq_kv = 4096,
                                     .head_dim = 128,
                                     .pass = Attention::Pass::bwd};

void expect_refused(const Row& row, const std::vector<std::string>& says) {
  EXPECT_EQ(row.status, Status::incorrect);
  EXPECT_TRUE(row.has(Flag::above_peak));
  EXPECT_FALSE(row.rate.value || row.rate.ci_low || row.rate.ci_high);
  EXPECT_TRUE(row.time.median_ns);  // what was measured stays in the file
  for (const std::string& part : says) {
    EXPECT_NE(row.reason.find(part), std::string::npos) << part << ": " << row.reason;
  }
}
void expect_kept(const Row& row) {
  EXPECT_EQ(row.status, Status::ok) << row.reason;
  EXPECT_FALSE(row.has(Flag::above_peak));
  EXPECT_TRUE(row.rate.value);
}

// Of attention as of a product, forward and backward, prefill and decode.
TEST(Peaks, AttentionIsHeldAgainstThePeakOfItsDtype) {
  expect_refused(at_rate(planned(kBackward), 2e15), {"H100 SXM", "bf16"});
  EXPECT_EQ(at_rate(planned(kBackward), 5e14).status, Status::ok);
  auto decode = std::get<Attention>(kBackward);
  decode.pass = Attention::Pass::fwd;
  decode.seq_q = 1;
  expect_refused(at_rate(planned(decode), 2e15), {"H100 SXM", "bf16"});
}

TEST(AbovePeak, ProductsOfAnH100) {
  expect_kept(at_rate(planned(kProduct), 794.5e12));  // the best that was measured
  expect_kept(at_rate(planned(kProduct), 1070e12));   // above the published 989, at 1980 MHz
  expect_refused(
      at_rate(planned(kProduct), 1500e12),
      {"1.5", "bf16", "1.12 PFLOPS", "H100 SXM", "528 tensor cores", "1.98 GHz", "its datasheet"});
  expect_refused(at_rate(planned(kProduct), 1979e12), {"bf16"});  // the sparse figure
}

TEST(AbovePeak, TheDtypeExecutedCounts) {
  expect_kept(at_rate(planned(kProduct), 1500e12, {1, 1, 1}, 2, "fp8"));
  expect_kept(at_rate(planned(kProduct), 1500e12, {1, 1, 1}, 2, "unheard of"));
  const Workload eight = Gemm{.dtype = DType::int8, .m = 8192, .n = 8192, .k = 8192};
  expect_kept(at_rate(planned(eight), 1500e12));
  expect_refused(at_rate(planned(eight), 3000e12), {"POPS in int8"});
  expect_refused(at_rate(planned(eight), 1500e12, {1, 1, 1}, 2, "bf16"), {"in bf16"});
}

// Rounds that scatter around a rate near the peak are noise, not a lie.
TEST(AbovePeak, QuantisedWeightsMayBeMultipliedInAnyDtype) {
  const PlannedRow row = planned(Gemm{.dtype = DType::bf16,
                                      .layout = Gemm::Layout::nt,
                                      .weights = WeightFormat::q8_0,
                                      .m = 512,
                                      .n = 8192,
                                      .k = 8192});
  EXPECT_EQ(at_rate(row, 1.5e15).status, Status::ok);  // above bf16's peak, below int8's
  EXPECT_TRUE(at_rate(row, 3e15).has(Flag::above_peak));
}

TEST(AbovePeak, TheLowerEndOfTheIntervalIsJudged) {
  const Row row = at_rate(planned(kProduct), 1150e12, {0.9, 1, 1.1});
  ASSERT_TRUE(row.rate.ci_low);
  EXPECT_LT(*row.rate.ci_low, 1124e12);
  expect_kept(row);
  expect_refused(at_rate(planned(kProduct), 1150e12, {1, 1.001, 0.999}), {"H100"});
  expect_refused(at_rate(planned(kProduct), 1500e12, {1}), {"H100"});  // no interval
}

TEST(AbovePeak, StreamsFromMemoryOnly) {
  expect_kept(at_rate(planned(kCopy), 3.0e12));
  expect_kept(at_rate(planned(kCopy), 3.35e12));
  // 4 GiB rotate, of which 50 MiB may stay in the cache.
  expect_refused(at_rate(planned(kCopy), 4.0e12), {"4.00 TB/s", "3.35 TB/s of memory", "1 %"});
  const Workload small = Stream{.op = Stream::Op::copy, .bytes = 26 << 20};
  expect_kept(at_rate(planned(small), 4.0e12));               // half of 104 MiB may
  expect_kept(at_rate(planned(small), 40e12, {1, 1, 1}, 1));  // all of 52 MiB, nearly
  expect_refused(at_rate(planned(small), 40e12, {1, 1, 1}, 20), {"memory"});
  expect_kept(at_rate(planned(kCopy, {.cache = CacheMode::hot}), 40e12));
  const Workload set = WorkingSet{.op = WorkingSet::Op::read, .bytes = 1 << 20};
  expect_kept(at_rate(planned(set, {.cache = CacheMode::hot}), 40e12));
}

TEST(AbovePeak, AnM5AtItsPublishedBandwidth) {
  Ceilings m5;
  m5.chip = "Apple M5";
  m5.bytes_per_s = 153.6e9;
  m5.cache_bytes = 8 << 20;
  expect_kept(at_rate(planned(kCopy, {}, m5), 153.6e9));
  expect_refused(at_rate(planned(kCopy, {}, m5), 200e9), {"Apple M5"});
  expect_kept(at_rate(planned(kProduct, {}, m5), 1e18));  // nothing is known of its products
}

TEST(AbovePeak, AProcessorTakesTheClockSampledWithTheRow) {
  Ceilings epyc;
  epyc.chip = "EPYC";
  epyc.processor = true;
  epyc.compute = {{"f32", 32, "32 FLOP a clock", 0, 0, "measured"}};
  epyc.cores = 96;
  epyc.maximum_hz = 3.7e9;
  const Workload work = Gemm{.m = 1024, .n = 1024, .k = 1024};
  const auto judged = [&](double rate, int threads, std::optional<double> mhz) {
    return at_rate(planned(work, {.threads = threads}, epyc), rate, {1, 1, 1}, 2, {}, mhz);
  };
  expect_kept(judged(11e12, 0, 3550));
  expect_refused(judged(13e12, 0, 3550), {"96 cores", "3.7 GHz"});
  expect_kept(judged(13e12, 0, 4000));  // seen above what it tells as its maximum
  expect_kept(judged(100e12, 0, {}));   // no clock
  expect_kept(judged(118e9, 1, 3600));
  expect_refused(judged(236e9, 1, 3600), {"1 core x"});
}

TEST(AbovePeak, ResultsOfWorkThatSetsItsOwnLengthGoToo) {
  const Workload work = Sustained{{.dtype = DType::bf16, .m = 4096, .n = 4096, .k = 4096}, 10};
  expect_kept(at_rate(planned(work), 700e12, {1}));
  const Row row = at_rate(planned(work), 1500e12, {1});
  expect_refused(row, {"bf16"});
  for (const Value& value : row.values) EXPECT_NE(value.unit, "FLOP/s") << value.name;
}

// Of an H100: 3.35 TB/s and, in its fastest dtype, 2 PFLOPS.
TEST(AbovePeak, ModelsByWhatATokenTakes) {
  ModelUse use{.model = mistral_7b()};
  Settings hot;
  hot.cache = CacheMode::hot;
  const auto at_tokens = [&](const Workload& work, double per_s) {
    PlannedRow row = planned(work);
    row.settings = hot;
    return at_rate(row, per_s);
  };
  // 14.2 GB a token: 200 tokens a second read 2.8 TB/s, 400 cannot be.
  expect_kept(at_tokens(Decode{.use = use, .tokens = 128}, 200));
  expect_refused(at_tokens(Decode{.use = use, .tokens = 128}, 400),
                 {"tok/s", "weights and cache", "H100"});
  // 14 GFLOP a token: 40 thousand are 0.6 PFLOPS, a million are 14.
  expect_kept(at_tokens(Prefill{.use = use, .tokens = 512}, 4e4));
  expect_refused(at_tokens(Prefill{.use = use, .tokens = 512}, 1e6), {"tok/s", "H100"});
}

TEST(AbovePeak, WithoutAKnownChipNothingIsJudged) {
  PlannedRow unknown = planned(kProduct);
  unknown.ceilings = nullptr;
  expect_kept(at_rate(unknown, 1e20));
}

// The device is found by its name, row by row.
TEST(AbovePeak, RowsGetWhatTheirDeviceCannotExceed) {
  ChipDatabase database;
  Chip chip;
  chip.id = chip.name = "Toy";
  chip.kind = ChipKind::accelerator;
  chip.models = {{"Toy 1", {}}};
  chip.peaks = {{.dtype = "f32", .flops = 1e12, .source = "s"}};
  database.chips = {chip};
  Machine machine;
  NvidiaDevice gpu;
  gpu.name = "Toy 1";
  machine.nvidia.devices = {gpu};
  Plan plan;
  plan.workers.resize(2);
  plan.workers[1].hello.devices = {{.id = "cuda:0", .name = "Toy 1"}, {.id = "cpu", .name = "x"}};
  for (const auto& [worker, device] : {std::pair{0, "cuda:0"}, {1, "cuda:0"}, {1, "cpu"}}) {
    PlannedRow row;
    row.worker = static_cast<size_t>(worker);
    row.device = device;
    plan.rows.push_back(row);
  }
  add_ceilings(plan, database, machine);
  EXPECT_FALSE(plan.rows[0].ceilings);
  ASSERT_TRUE(plan.rows[1].ceilings);
  EXPECT_EQ(plan.rows[1].ceilings->chip, "Toy");
  EXPECT_FALSE(plan.rows[2].ceilings);
}

}  // namespace
