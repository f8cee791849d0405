// Roofs and places of rows from machines whose truth is known.

#include "analyze/roofline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "machine_rows.h"
#include "mistral_7b.h"

namespace {

using namespace ridge;
using simulated::add_roofs;
using simulated::compute_ns;
using simulated::memory_ns;
using simulated::row_of;
using simulated::run_of;

double uniform(TensorKey key, int& step, double low, double high) {
  return low * std::pow(high / low, random_uniform(key, step++));
}

simulated::Machine machine_of(TensorKey key, int& step) {
  simulated::Machine machine;
  machine.flops = uniform(key, step, 5e10, 1e14);
  machine.read = uniform(key, step, machine.flops / 80, machine.flops / 5);
  machine.write = machine.read * uniform(key, step, 0.5, 1);
  machine.l2_read = machine.read * uniform(key, step, 3, 10);
  machine.l2_write = machine.write * uniform(key, step, 3, 10);
  machine.call_ns = uniform(key, step, 300, 5000);
  machine.submit_ns = uniform(key, step, 300, 20000);
  machine.noise = uniform(key, step, 0.002, 0.04);
  return machine;
}

std::string bound_of(const Placement& placement) {
  if (!placement.refused.empty()) return "refused: " + placement.refused;
  return placement.bound() ? placement.bound()->name : "none";
}

// Works of each sort at 85 to 100 % of what binds them, and slow ones at 20 to 60 %: chosen so that
// the truth does not hang on the noise, and one limit stands out.
TEST(Roofline, ClassifiesRowsOfHundredsOfMachines) {
  constexpr int kMachines = 300;
  std::map<std::string, std::pair<int, int>> right;  // of each sort: right, all
  for (int number = 0; number < kMachines; ++number) {
    const TensorKey key = tensor_key(11, static_cast<uint64_t>(number), 0, "machine");
    int step = 0;
    const auto machine = machine_of(key, step);
    ridge::Run run = run_of();
    add_roofs(run, machine, static_cast<uint64_t>(number) * 1000);
    uint64_t salt = static_cast<uint64_t>(number) * 1000 + 500;
    const Roofline roofs = roofline({&run});
    const auto expect = [&](const std::string& sort, const std::string& bound, Workload work,
                            Settings settings, double floor_ns, double share) {
      const Row row = row_of(std::move(work), settings, floor_ns / share, machine, ++salt);
      const std::string found = bound_of(place(roofs, run, row));
      auto& [good, all] = right[sort];
      good += found == bound ? 1 : 0;
      ++all;
      if (found != bound && all - good < 3) {
        GTEST_LOG_(INFO) << sort << ": " << found << " in place of " << bound;
      }
    };
    const auto near = [&] { return uniform(key, step, 0.85, 1); };
    const auto far = [&] { return uniform(key, step, 0.2, 0.6); };
    const Settings cold;
    Settings hot, alone;
    hot.cache = CacheMode::hot;
    alone.timing = Timing::isolated;
    const DType dtypes[] = {DType::f32, DType::bf16, DType::int8};
    const DType dtype = dtypes[number % 3];
    const std::string compute = "compute " + std::string(name(dtype));

    const Gemm square{.dtype = dtype, .m = 3000, .n = 3000, .k = 3000};
    expect("compute", compute, square, cold, compute_ns(machine, square), near());
    expect("slow product", "none", square, cold, compute_ns(machine, square), far());

    const Gemm decode{.dtype = dtype, .m = 1, .n = 14336, .k = 4096};
    const double in_memory = memory_ns(machine, decode, cold);
    if (compute_ns(machine, decode) < 0.5 * in_memory && machine.call_ns < 0.5 * in_memory) {
      const Cost c = cost(decode, cold);
      const double floor = (c.bytes_read + c.bytes_written) * 1e9 / machine.read;
      expect("memory", "memory read", decode, cold, floor, near());
      expect("slow decode", "none", decode, cold, floor, far());
    }

    // Shallow: its result is larger than its operands. 160 x 1300 x 16, 0.9 MiB at most.
    const Gemm shallow{.dtype = dtype, .output = DType::f32, .m = 160, .n = 1300, .k = 16};
    if (dtype != DType::int8) {
      const double in_l2 = memory_ns(machine, shallow, hot);
      if (compute_ns(machine, shallow) < 0.5 * in_l2 && machine.call_ns < 0.5 * in_l2) {
        expect("cache", "L2 read + write", shallow, hot, in_l2, near());
      }
    }
    const Stream stream{.op = Stream::Op::write, .bytes = 64 << 20};
    expect("stream", "memory write", stream, cold, memory_ns(machine, stream, cold), near());
    const Stream walk{.op = Stream::Op::read, .bytes = 1 << 20};
    if (machine.call_ns < 0.5 * memory_ns(machine, walk, hot)) {
      expect("cache", "L2 read", walk, hot, memory_ns(machine, walk, hot), near());
    }

    const Gemm tiny{.dtype = dtype, .m = 8, .n = 8, .k = 8};
    expect("call", "call", tiny, cold, machine.call_ns, near());
    expect("call", "call and wait", tiny, alone, machine.submit_ns + machine.call_ns, near());
  }
  int good = 0, all = 0;
  for (const auto& [sort, count] : right) {
    EXPECT_GE(count.first, 0.95 * count.second)
        << sort << ": " << count.first << " of " << count.second;
    EXPECT_GE(count.second, 100) << sort;
    good += count.first;
    all += count.second;
  }
  RecordProperty("right", good);
  RecordProperty("rows", all);
  GTEST_LOG_(INFO) << good << " of " << all << " classified right";
}

Attention attention_of(int64_t seq_q, int64_t seq_kv, Attention::Pass pass) {
  return {.dtype = DType::bf16,
          .heads = 32,
          .kv_heads = 8,
          .seq_q = seq_q,
          .seq_kv = seq_kv,
          .head_dim = 128,
          .mask = Attention::Mask::causal,
          .pass = pass};
}

TEST(Roofline, AttentionStandsUnderTheProductsOfItsDtype) {
  const simulated::Machine machine{.noise = 0.001};
  ridge::Run run = run_of();
  add_roofs(run, machine);
  const Roofline roofs = roofline({&run});
  const double bf16 = simulated::flops_of(machine, DType::bf16);
  const auto share_of = [&](const Attention& a, const Settings& settings, double ns,
                            const std::string& bound) {
    SCOPED_TRACE(row_key(a, settings, "cpu", "0"));
    const Row row = row_of(a, settings, ns, machine, 77);
    const Placement found = place(roofs, run, row);
    EXPECT_EQ(bound_of(found), bound);
    return found.limits.empty() ? 0 : found.limits.front().share;
  };
  // Fused forward: 4·32·128 FLOP a visible pair.
  const double pairs = 2048.0 * 2049 / 2, forward = 4 * 32 * 128 * pairs;
  const Attention prefill = attention_of(2048, 2048, Attention::Pass::fwd);
  EXPECT_NEAR(share_of(prefill, {}, forward * 1e9 / bf16 / 0.9, "compute bf16"), 0.9, 0.01);
  EXPECT_NEAR(share_of(prefill, {}, forward * 1e9 / bf16 / 0.3, "none"), 0.3, 0.01);
  // Backward computes the scores once more.
  const Attention backward = attention_of(2048, 2048, Attention::Pass::bwd);
  EXPECT_NEAR(share_of(backward, {}, 2.5 * forward * 1e9 / bf16 / 0.9, "compute bf16"), 0.9, 0.01);
  // Unfused computes what the mask hides, too.
  const double all = 4 * 32 * 128 * 2048.0 * 2048;
  EXPECT_NEAR(share_of(prefill, {.backend = "unfused"}, all * 1e9 / bf16 / 0.8, "compute bf16"),
              0.8, 0.01);
  // One query: its keys and values are read once, 8 heads of 128.
  const Attention decode = attention_of(1, 65536, Attention::Pass::fwd);
  const double bytes = 2 * 65536.0 * 8 * 128 * 2;
  EXPECT_NEAR(share_of(decode, {}, bytes * 1e9 / machine.read / 0.9, "memory read"), 0.9, 0.01);
}

// What attention counts as executed may have been left out: it makes no roof, and needs a
// product's.
TEST(Roofline, AttentionMakesNoRoof) {
  const simulated::Machine machine;
  ridge::Run run = run_of();
  const Attention a = attention_of(2048, 2048, Attention::Pass::bwd);
  run.rows.push_back(row_of(a, {}, 1e6, machine, 1));
  const Roofline alone = roofline({&run});
  EXPECT_TRUE(alone.roofs.empty());
  const Placement found = place(alone, run, run.rows[0]);
  EXPECT_NE(found.refused.find("no roof of bf16 products"), std::string::npos) << found.refused;
  EXPECT_NE(found.refused.find("\"dtype\": \"bf16\", \"m\""), std::string::npos) << found.refused;

  add_roofs(run, machine);
  run.rows.push_back(row_of(a, {.backend = "fast"}, 1, machine, 2));
  for (const Roof& roof : roofline({&run}).roofs) {
    EXPECT_EQ(roof.from.find("attention"), std::string::npos) << roof.from;
  }
}

TEST(Roofline, DecodeAndPrefillAreNotHeldAgainstEachOther) {
  const auto group = [](int64_t queries, Attention::Pass pass) {
    return group_key(attention_of(queries, 4096, pass), {});
  };
  const auto fwd = Attention::Pass::fwd, bwd = Attention::Pass::bwd;
  EXPECT_NE(group(1, fwd), group(4096, fwd));
  EXPECT_NE(group(4096, bwd), group(4096, fwd));
  EXPECT_EQ(group(1, fwd), group(8, fwd));
  EXPECT_EQ(group(512, fwd), group(4096, fwd));
}

TEST(Roofline, SharesDoNotChangeWhenAllTimesAreScaled) {
  for (int number = 0; number < 100; ++number) {
    const TensorKey key = tensor_key(12, static_cast<uint64_t>(number), 0, "machine");
    int step = 0;
    const auto machine = machine_of(key, step);
    ridge::Run run = run_of();
    add_roofs(run, machine, static_cast<uint64_t>(number) * 100);
    ridge::Run scaled = run;
    const double factor = uniform(key, step, 1e-3, 1e3);
    for (Row& row : scaled.rows) {
      for (auto* ns : {&row.time.median_ns, &row.time.ci_low_ns, &row.time.ci_high_ns}) {
        **ns *= factor;
      }
      for (double& ns : row.time.round_medians_ns) ns *= factor;
      for (auto* rate : {&row.rate.value, &row.rate.ci_low, &row.rate.ci_high}) **rate /= factor;
    }
    const Roofline own = roofline({&run}), other = roofline({&scaled});
    ASSERT_EQ(own.roofs.size(), other.roofs.size());
    for (size_t i = 0; i < run.rows.size(); ++i) {
      const Placement a = place(own, run, run.rows[i]), b = place(other, scaled, scaled.rows[i]);
      ASSERT_EQ(a.refused, b.refused);
      ASSERT_EQ(a.limits.size(), b.limits.size());
      for (size_t l = 0; l < a.limits.size(); ++l) {
        EXPECT_EQ(a.limits[l].name, b.limits[l].name);
        EXPECT_NEAR(a.limits[l].share / b.limits[l].share, 1, 1e-6) << run.rows[i].row_key();
        EXPECT_NEAR(a.limits[l].share_range.lo / b.limits[l].share_range.lo, 1, 1e-6);
      }
    }
  }
}

TEST(Roofline, HasNoRoofFromARowThatIsNotBelieved) {
  simulated::Machine machine;
  ridge::Run run = run_of();
  add_roofs(run, machine);
  const Roofline clean = roofline({&run});
  int tried = 0;
  for (const Row& original : std::vector<Row>(run.rows)) {
    // The same work a hundred times faster, but failed, wrong, or without a rate.
    Row fast = original;
    *fast.time.median_ns /= 100;
    *fast.rate.value *= 100;
    fast.settings.form = Form::packed;  // another key
    std::vector<Row> bad(5, fast);
    bad[0].status = Status::failed;
    bad[1].status = Status::incorrect;
    bad[2].rate.value.reset();
    bad[3].add(Flag::above_peak);
    bad[4].time.median_ns.reset();
    ridge::Run spoilt = run;
    for (Row& row : bad) spoilt.rows.push_back(row);
    const Roofline found = roofline({&spoilt});
    ASSERT_EQ(found.roofs.size(), clean.roofs.size());
    for (size_t i = 0; i < found.roofs.size(); ++i) {
      EXPECT_EQ(found.roofs[i].rate, clean.roofs[i].rate) << fast.row_key();
      EXPECT_EQ(found.roofs[i].from, clean.roofs[i].from);
    }
    for (const Row& row : bad) EXPECT_NE(place(found, spoilt, row).refused, "");
    ++tried;
  }
  EXPECT_EQ(tried, 16);
}

TEST(Roofline, RaisesNoFloorAboveTheRowThatMadeIt) {
  for (int number = 0; number < 100; ++number) {
    const TensorKey key = tensor_key(13, static_cast<uint64_t>(number), 0, "machine");
    int step = 0;
    ridge::Run run = run_of();
    add_roofs(run, machine_of(key, step), static_cast<uint64_t>(number) * 100);
    const Roofline roofs = roofline({&run});
    int own = 0;
    for (const Row& row : run.rows) {
      if (std::holds_alternative<Dispatch>(row.work)) continue;
      const Placement placement = place(roofs, run, row);
      ASSERT_EQ(placement.refused, "") << row.row_key();
      for (const Limit& limit : placement.limits) {
        if (limit.kind != Roof::Kind::call) {  // not of these rows
          EXPECT_LE(limit.share, 1 + 1e-9) << row.row_key() << " " << limit.name;
        }
        own += limit.is_roof ? 1 : 0;
        if (limit.is_roof) {
          EXPECT_NEAR(limit.share, 1, 1e-9);
        }
      }
    }
    EXPECT_GE(own, 6);
  }
}

TEST(Place, RefusesWhatHasNoRoofAndSaysWhatToRun) {
  simulated::Machine machine;
  ridge::Run run = run_of();
  add_roofs(run, machine);
  const Roofline roofs = roofline({&run});
  const auto refused = [&](Workload work, Settings settings = {}) {
    return place(roofs, run, row_of(std::move(work), settings, 1e7, machine, 77)).refused;
  };
  const auto runnable = [](const std::string& text) {
    const size_t from = text.find('{'), to = text.rfind('}');
    if (from == text.npos || to == text.npos) return false;
    const auto json = Json::parse(text.substr(from, to - from + 1));
    return json && json->find("kind") != nullptr;
  };
  Settings one, hot, warm;
  one.threads = 1;
  hot.cache = CacheMode::hot;
  warm.cache = CacheMode::warm;
  const std::string f16 = refused(Gemm{.dtype = DType::f16, .m = 64, .n = 64, .k = 64});
  EXPECT_NE(f16.find("no roof of f16 products"), std::string::npos) << f16;
  EXPECT_TRUE(runnable(f16)) << f16;
  const std::string threads = refused(Gemm{.m = 512, .n = 512, .k = 512}, one);
  EXPECT_NE(threads.find("f32 products with 1 thread"), std::string::npos) << threads;
  EXPECT_TRUE(runnable(threads)) << threads;
  const std::string copy = refused(Stream{.op = Stream::Op::copy, .bytes = 64 << 20});
  EXPECT_NE(copy.find("no roof of copy in memory"), std::string::npos) << copy;
  EXPECT_TRUE(runnable(copy)) << copy;
  const std::string l3 = refused(Stream{.op = Stream::Op::read, .bytes = 16 << 20}, hot);
  EXPECT_NE(l3.find("no roof of read in L3"), std::string::npos) << l3;
  EXPECT_TRUE(runnable(l3)) << l3;
  EXPECT_NE(refused(Stream{.op = Stream::Op::read, .bytes = 64 << 20}, warm), "");
  EXPECT_NE(refused(WorkingSet{.op = WorkingSet::Op::chase, .bytes = 1 << 20}, hot), "");
  const std::string file = refused(Load{.bytes = 1 << 20}, hot);
  EXPECT_NE(file.find("no roof of files, page cache hot"), std::string::npos) << file;
  EXPECT_TRUE(runnable(file)) << file;
  EXPECT_EQ(refused(Gemm{.m = 512, .n = 512, .k = 512}), "");
}

// A load is held against files that were read with the same page cache, whatever device it fills.
TEST(Roofline, OfFilesStandsAboveLoads) {
  simulated::Machine machine;
  ridge::Run run = run_of();
  Settings cold, hot;
  cold.timing = hot.timing = Timing::isolated;
  hot.cache = CacheMode::hot;
  const Load file{.bytes = int64_t{1} << 30};  // 1 GiB/s cold, 8 hot
  const double second = 1e9;
  run.rows = {row_of(file, cold, second, machine, 1), row_of(file, hot, second / 8, machine, 2)};
  const LoadModel load{{.model = mistral_7b()}, 8};
  const double floor = cost(load, cold).bytes_read / 0x1p30 * second;
  run.rows.push_back(row_of(load, cold, floor / 0.9, machine, 3));
  run.rows.push_back(row_of(load, hot, floor / 8 / 0.4, machine, 4));
  run.rows.push_back(row_of(load, hot, floor / 8 / 3, machine, 5));  // mapped, and not copied
  // One that a processor's cache holds is no roof.
  run.rows.push_back(row_of(Load{.bytes = 1 << 20}, hot, second / 1024 / 100, machine, 6));
  const Roofline roofs = roofline({&run});
  EXPECT_TRUE(place(roofs, run, run.rows[0]).limits.at(0).is_roof);
  EXPECT_TRUE(place(roofs, run, run.rows[1]).limits.at(0).is_roof);
  EXPECT_EQ(bound_of(place(roofs, run, run.rows[2])), "cold file read");
  EXPECT_NEAR(place(roofs, run, run.rows[2]).limits.at(0).share, 0.9, 0.1);
  EXPECT_EQ(bound_of(place(roofs, run, run.rows[3])), "none");
  EXPECT_NE(place(roofs, run, run.rows[4]).refused.find("faster than files"), std::string::npos);
}

TEST(Roofline, OfADecodeProductAloneIsMemorysNotComputes) {
  simulated::Machine machine;
  ridge::Run run = run_of();
  const Gemm decode{.dtype = DType::bf16, .m = 1, .n = 14336, .k = 4096};
  run.rows = {row_of(decode, {}, memory_ns(machine, decode, {}), machine, 1)};
  const Roofline roofs = roofline({&run});
  ASSERT_EQ(roofs.roofs.size(), 1u);
  EXPECT_EQ(roofs.roofs[0].kind, Roof::Kind::memory);
  EXPECT_EQ(roofs.roofs[0].operation, "read");
  EXPECT_NE(place(roofs, run, run.rows[0]).refused.find("no roof of bf16"), std::string::npos);
}

TEST(Roofline, AReadRoofIsNoCopyRoofAndAnotherNumberOfThreadsHasItsOwn) {
  simulated::Machine machine;
  ridge::Run run = run_of();
  Settings one, all;
  one.threads = 1;
  all.threads = 4;  // by number what 0 asks for
  const Stream read{.op = Stream::Op::read, .bytes = 64 << 20},
      copy{.op = Stream::Op::copy, .bytes = 64 << 20};
  run.rows = {row_of(read, {}, 1e6, machine, 1), row_of(copy, {}, 4e6, machine, 2),
              row_of(read, one, 3e6, machine, 3)};
  const Roofline roofs = roofline({&run});
  EXPECT_EQ(roofs.roofs.size(), 3u);
  for (const Row& row : run.rows) {
    const Placement placement = place(roofs, run, row);
    ASSERT_EQ(placement.limits.size(), 1u);
    EXPECT_TRUE(placement.limits[0].is_roof);
  }
  const Placement same = place(roofs, run, row_of(read, all, 2e6, machine, 4));
  ASSERT_EQ(same.refused, "");
  EXPECT_NEAR(same.limits[0].share, 0.5, 0.1);
}

TEST(Roofline, TakesTheBestOfAllRunsAndNamesIt) {
  simulated::Machine slow, fast;
  slow.noise = fast.noise = 1e-6;
  fast.flops = 2 * slow.flops;
  ridge::Run first = run_of("aaaaaaaa"), second = run_of("bbbbbbbb");
  const Gemm gemm{.m = 1024, .n = 1024, .k = 1024};
  first.rows = {row_of(gemm, {}, compute_ns(slow, gemm), slow, 1)};
  second.rows = {row_of(gemm, {}, compute_ns(fast, gemm), fast, 2)};
  const Roofline roofs = roofline({&first, &second});
  ASSERT_EQ(roofs.roofs.size(), 1u);
  EXPECT_EQ(roofs.roofs[0].run, "bbbbbbbb");
  EXPECT_NEAR(roofs.roofs[0].rate.value / fast.flops, 1, 1e-4);
  for (ridge::Run* run : {&first, &second}) run->rows[0].settings.cache = CacheMode::cold;
  ridge::Run third = run_of("cccccccc");
  third.rows = {row_of(Stream{.op = Stream::Op::read, .bytes = 64 << 20}, {}, 1e6, slow, 3),
                row_of(Stream{.op = Stream::Op::write, .bytes = 64 << 20}, {}, 1e6, slow, 4)};
  const Roofline all = roofline({&first, &second, &third});
  const Placement a = place(all, first, first.rows[0]), b = place(all, second, second.rows[0]);
  EXPECT_NEAR(a.limits.at(0).share, 0.5, 1e-3);
  EXPECT_FALSE(a.limits.at(0).is_roof) << "the same row_key in another run";
  EXPECT_TRUE(b.limits.at(0).is_roof);
}

TEST(Roofline, ExecutedTypeCountsWhereALibraryRanAnother) {
  simulated::Machine machine;
  ridge::Run run = run_of();
  const Gemm gemm{.m = 2048, .n = 2048, .k = 2048};
  Row row = row_of(gemm, {}, compute_ns(machine, gemm) / 8, machine, 1);
  row.executed_dtype = "tf32";
  run.rows = {row};
  const Roofline roofs = roofline({&run});
  EXPECT_TRUE(find(roofs, Roof::Kind::compute, "cpu", 0, "tf32"));
  EXPECT_FALSE(find(roofs, Roof::Kind::compute, "cpu", 0, "f32"));
}

TEST(PhysicalDevice, IsTheSameWhicheverWorkerDrivesIt) {
  Header header = run_of().header;
  header.workers = *Json::parse(R"([
    {"worker": "torch", "devices": [{"id": "cpu", "name": "Simulated"},
                                    {"id": "cuda:0", "name": "NVIDIA H200"}]},
    {"worker": "cuda", "devices": [{"id": "0", "name": "NVIDIA H200"}]},
    {"worker": "own", "devices": [{"id": "0", "name": "Simulated"}]}])");
  EXPECT_EQ(physical_device(header, "cpu", "0"), "cpu");
  EXPECT_EQ(physical_device(header, "torch", "cpu"), "cpu");
  EXPECT_EQ(physical_device(header, "own", "0"), "cpu");
  EXPECT_EQ(physical_device(header, "torch", "cuda:0"), "NVIDIA H200");
  EXPECT_EQ(physical_device(header, "cuda", "0"), "NVIDIA H200");
  EXPECT_NE(physical_device(header, "cuda", "1"), physical_device(header, "cuda", "0"));
}

}  // namespace
