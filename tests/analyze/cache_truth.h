#pragma once

#include <cmath>
#include <vector>

#include "store/row.h"

// Sweeps over working sets on a machine whose caches are chosen: 32 KiB at 1 ns an access, 1 MiB at
// 5 ns, the rest at 80 ns.
namespace cache_truth {

inline constexpr double kFirst = 32 << 10, kSecond = 1 << 20;
inline constexpr double kFirstNs = 1, kSecondNs = 5, kMemoryNs = 80;

// Four sizes an octave, in whole lines.
inline std::vector<int64_t> sizes(int64_t least, int64_t most) {
  std::vector<int64_t> out;
  for (int quarter = 0;; ++quarter) {
    const double bytes = static_cast<double>(least) * std::exp2(quarter / 4.0);
    if (bytes > static_cast<double>(most) * 1.01) return out;
    out.push_back(std::llround(bytes / 64) * 64);
  }
}

// The part of accesses round a random cycle of w capacities that miss, a random line being evicted:
// m = 1 - exp(-w·m), by halving.
inline double misses(double w) {
  if (w <= 1) return 0;
  double low = 1e-9, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (middle < 1 - std::exp(-w * middle) ? low : high) = middle;
  }
  return low;
}

inline double latency(int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  return kFirstNs + (kSecondNs - kFirstNs) * misses(size / kFirst) +
         (kMemoryNs - kSecondNs) * misses(size / kSecond);
}

// `ns` an access or a byte, in three rounds 0.2 % apart.
inline ridge::Row sweep_row(ridge::WorkingSet::Op op, int64_t bytes, double ns) {
  ridge::Row row;
  row.work = ridge::WorkingSet{op, bytes};
  row.worker = "w";
  row.device = "0";
  row.status = ridge::Status::ok;
  row.cost = ridge::cost(row.work, row.settings);
  const double whole = ns * row.cost.rate_work();
  row.time.median_ns = whole;
  row.time.round_medians_ns = {whole * 0.998, whole, whole * 1.002};
  return row;
}

}  // namespace cache_truth
