#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace ridge::stats {

// Samples beyond Tukey's fences: counted, never dropped. `mild` lie 1.5 to 3 IQR outside the
// quartiles, `extreme` lie further out.
struct Outliers {
  int64_t mild = 0;
  int64_t extreme = 0;
  bool operator==(const Outliers&) const = default;
};

// What a set of times looks like. In the unit of the samples (ns), unless a name says otherwise.
struct Summary {
  int64_t n = 0;
  double median = 0;
  double min = 0;
  double q1 = 0;
  double q3 = 0;
  double p95 = 0;
  double max = 0;
  std::optional<double> p90;   // from 64 samples (LoadGen)
  std::optional<double> p99;   // from 662
  double mad = 0;              // median absolute deviation, not scaled
  double robust_cv = 0;        // 1.4826 · MAD / median; a fraction
  double autocorrelation = 0;  // lag 1, in the order given, at least 0
  double n_eff = 0;            // samples that independent ones are worth: see autocorrelation.h
  Outliers outliers;

  bool operator==(const Summary&) const = default;
};

// Of samples in the order they were taken. nullopt for none, or for one that is no finite number.
// O(n log n).
std::optional<Summary> summarize(std::span<const double> samples);

}  // namespace ridge::stats
