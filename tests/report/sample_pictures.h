#pragma once

#include <algorithm>
#include <cmath>

#include "report/pictures.h"

// A machine like the one of docs/results/quick.md and cpu.md (2 cores of a Zen 4), by hand.
namespace report_test {

inline ridge::stats::Estimate exactly(double value) { return {value, {value, value}}; }

inline ridge::Roofline sample_roofline() {
  using ridge::Roof;
  const auto roof = [](Roof::Kind kind, const char* operation, const char* level, double rate) {
    return Roof{.kind = kind,
                .device = "cpu",
                .operation = operation,
                .level = level,
                .rate = exactly(rate),
                .from = "by hand"};
  };
  return {{roof(Roof::Kind::compute, "f32", "", 224e9),
           roof(Roof::Kind::compute, "bf16", "", 449e9),
           roof(Roof::Kind::compute, "int8", "", 892e9),
           roof(Roof::Kind::memory, "read", "memory", 65e9),
           roof(Roof::Kind::memory, "copy", "memory", 60e9),
           roof(Roof::Kind::memory, "read", "L2", 196e9), roof(Roof::Kind::call, "call", "", 8e5)}};
}

inline ridge::Row sample_row(const ridge::Workload& work, double rate) {
  ridge::Row row;
  row.work = work;
  row.worker = "cpu";
  row.device = "0";
  row.status = ridge::Status::ok;
  row.settings = {.cache = ridge::CacheMode::cold, .form = ridge::Form::packed};
  row.cost = ridge::cost(work, row.settings);
  row.rate = {.value = rate, .unit = row.cost.rate_unit};
  row.time.median_ns = row.cost.rate_work() * 1e9 / rate;
  return row;
}

inline std::vector<ridge::RooflinePoint> sample_points() {
  using namespace ridge;
  const auto gemm = [](DType dtype, int64_t m, int64_t n, int64_t k, double gflops) {
    const Workload work = Gemm{.dtype = dtype, .m = m, .n = n, .k = k};
    return roofline_point(sample_row(work, gflops * 1e9), "cpu");
  };
  const auto stream = [](Stream::Op op, int64_t mib, double gbs) {
    return roofline_point(sample_row(Stream{.op = op, .bytes = mib << 20}, gbs * 1e9), "cpu");
  };
  using enum DType;
  return {gemm(f32, 512, 512, 512, 218),       gemm(f32, 1024, 1024, 1024, 223.2),
          gemm(f32, 2048, 2048, 2048, 223.1),  gemm(f32, 4096, 4096, 4096, 222.4),
          gemm(bf16, 512, 512, 512, 430.6),    gemm(bf16, 1024, 1024, 1024, 440.4),
          gemm(bf16, 2048, 2048, 2048, 414.5), gemm(bf16, 4096, 4096, 4096, 436.7),
          gemm(int8, 512, 512, 512, 791.5),    gemm(int8, 1024, 1024, 1024, 851.7),
          gemm(int8, 2048, 2048, 2048, 888.0), gemm(int8, 4096, 4096, 4096, 883.3),
          gemm(bf16, 1, 14336, 4096, 38.9),    gemm(bf16, 128, 14336, 4096, 448.5),
          stream(Stream::Op::read, 64, 66.6),  stream(Stream::Op::copy, 64, 59.4),
          stream(Stream::Op::triad, 64, 58.7), stream(Stream::Op::triad, 256, 55.9)};
}

inline std::vector<ridge::SystemCache> sample_caches() {
  return {{"L1", 32768}, {"L2", 1 << 20}, {"L3", 32 << 20}};
}

// Four sizes an octave, 4 KiB to 512 MiB, on levels that end at cliffs; the last level is `beyond`.
inline ridge::CacheCurve sample_curve(ridge::WorkingSet::Op op,
                                      std::vector<ridge::stats::Cliff> cliffs, double beyond) {
  ridge::CacheCurve curve{.worker = "cpu", .device = "0", .settings = "hot/pipelined/1t", .op = op};
  ridge::stats::Cliffs found;
  for (size_t i = 0; i < cliffs.size(); ++i) {
    cliffs[i].after = i + 1 < cliffs.size() ? cliffs[i + 1].before : beyond;
  }
  for (int step = 0; step <= 17 * 4; ++step) {
    const double bytes = 4096 * std::exp2(step / 4.0);
    double ns = cliffs.front().before;
    for (const auto& cliff : cliffs) {
      const double outside = std::max(0.0, 1 - cliff.capacity.value / bytes);
      ns += (cliff.after - cliff.before) * outside;
    }
    curve.bytes.push_back(bytes);
    found.fitted.push_back(ns);
    curve.ns.push_back(ns * (1 + 0.04 * std::sin(7.0 * step)));
  }
  found.cliffs = std::move(cliffs);
  curve.cliffs = std::move(found);
  return curve;
}

inline ridge::stats::Cliff cliff(double kib, double lo, double hi, double before) {
  return {.capacity = {kib * 1024, {lo * 1024, hi * 1024}}, .before = before, .evidence = 50};
}

inline ridge::CacheCurve sample_chase() {
  return sample_curve(ridge::WorkingSet::Op::chase,
                      {cliff(24, 22, 25, 1.06), cliff(229, 209, 252, 3.01),
                       cliff(806, 747, 870, 6.97), cliff(9482, 8581, 10445, 17.2)},
                      158);
}

inline ridge::CacheCurve sample_read() {
  return sample_curve(ridge::WorkingSet::Op::read,
                      {cliff(36, 32, 40, 1 / 204.0), cliff(22426, 16384, 24576, 1 / 98.2),
                       cliff(61338, 57344, 65536, 1 / 55.1)},
                      1 / 35.0);
}

}  // namespace report_test
