#pragma once

#include <cmath>
#include <string>

#include "base/random.h"
#include "store/run_file.h"

// Rows of machines whose truth is known: what they can do is chosen, times follow from it.
namespace ridge::simulated {

struct Machine {
  double flops = 1e12;               // of products in f32; bf16 twice, int8 four times that
  double read = 1e11, write = 8e10;  // of memory, byte/s
  double l2_read = 1e12, l2_write = 8e11;
  double call_ns = 2000, submit_ns = 8000;
  double noise = 0.02;  // relative standard deviation of a round's median
  int rounds = 5;
};

inline double flops_of(const Machine& machine, DType dtype) {
  return machine.flops * (dtype == DType::int8 ? 4 : dtype == DType::bf16 ? 2 : 1);
}

// A processor of four cores with caches of 32 KiB and 1 MiB a core and 32 MiB for all.
inline Run run_of(const std::string& id = "00000001") {
  Run run;
  run.header.id = id;
  run.header.started_utc = "2026-11-21T00:00:00Z";
  run.header.machine_key = "simulated-4c";
  run.header.machine = *Json::parse(R"({"cpu": {"model": "Simulated", "cores": 4, "sockets": 1,
    "caches": [{"level": 1, "type": "data", "bytes": 32768, "count": 4},
               {"level": 1, "type": "instruction", "bytes": 32768, "count": 4},
               {"level": 2, "type": "unified", "bytes": 1048576, "count": 4},
               {"level": 3, "type": "unified", "bytes": 33554432, "count": 1}]}})");
  return run;
}

// A row whose op takes `ns`, seen through noise that `salt` chooses.
inline Row row_of(Workload work, Settings settings, double ns, const Machine& machine,
                  uint64_t salt) {
  Row row;
  row.work = std::move(work);
  row.settings = settings;
  row.worker = "cpu";
  row.device = "0";
  row.status = Status::ok;
  row.check.verdict = CheckOutcome::Verdict::passed;
  row.cost = cost(row.work, settings);
  row.rate.unit = row.cost.rate_unit;
  const TensorKey key = tensor_key(7, salt, 0, "rounds");
  for (int r = 0; r < machine.rounds; ++r) {
    double normal = -6;  // Irwin and Hall: of variance 1
    for (int i = 0; i < 12; ++i) normal += random_uniform(key, r * 12 + i);
    row.time.round_medians_ns.push_back(ns * std::exp(machine.noise * normal));
  }
  const auto seen = stats::between_rounds_interval(row.time.round_medians_ns);
  row.time.rounds = machine.rounds;
  row.time.n = 100;
  row.time.median_ns = seen->value;
  row.time.ci_low_ns = seen->interval.lo;
  row.time.ci_high_ns = seen->interval.hi;
  const double work_done = row.cost.rate_work() * 1e9;
  row.rate.value = work_done / seen->value;
  row.rate.ci_low = work_done / seen->interval.hi;
  row.rate.ci_high = work_done / seen->interval.lo;
  return row;
}

// The best time of a row by what the machine can do, memory and arithmetic each alone.
inline double compute_ns(const Machine& machine, const Gemm& gemm) {
  return cost(gemm, {}).executed_flops * 1e9 / flops_of(machine, gemm.dtype);
}
inline double memory_ns(const Machine& machine, const Workload& work, const Settings& settings) {
  const Cost c = cost(work, settings);
  const bool hot = settings.cache == CacheMode::hot;
  return c.bytes_read * 1e9 / (hot ? machine.l2_read : machine.read) +
         c.bytes_written * 1e9 / (hot ? machine.l2_write : machine.write);
}

// The rows that show the roofs: products, streams in memory and in L2, calls.
inline void add_roofs(Run& run, const Machine& machine, uint64_t salt = 0) {
  const auto add = [&](Workload work, Settings settings, double ns) {
    run.rows.push_back(row_of(std::move(work), settings, ns, machine, ++salt));
  };
  for (const DType dtype : {DType::f32, DType::bf16, DType::int8}) {
    const Gemm gemm{.dtype = dtype, .m = 4096, .n = 4096, .k = 4096};
    add(gemm, {}, compute_ns(machine, gemm));
  }
  for (const CacheMode cache : {CacheMode::cold, CacheMode::hot}) {
    for (const Stream::Op op : {Stream::Op::read, Stream::Op::write}) {
      // 2 MiB in four caches of 1 MiB: within them, well above the four of 32 KiB.
      const Stream stream{.op = op, .bytes = cache == CacheMode::hot ? 2 << 20 : 256 << 20};
      Settings settings;
      settings.cache = cache;
      add(stream, settings, memory_ns(machine, stream, settings));
    }
  }
  for (int64_t calls = 1; calls <= 256; calls *= 2) {
    Settings settings;
    settings.cache = CacheMode::hot;
    add(Dispatch{calls}, settings,
        machine.submit_ns + machine.call_ns * static_cast<double>(calls));
  }
}

}  // namespace ridge::simulated
