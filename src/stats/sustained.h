#pragma once

#include <optional>
#include <span>
#include <vector>

#include "stats/interval.h"

namespace ridge::stats {

// Ops per second in consecutive windows of time: those that began in it over the time they took.
struct Window {
  double at_s = 0;
  double per_s = 0;
};
// start_ns: when each sample began; ns: of one op in it. Windows without a sample are left out.
std::vector<Window> rate_windows(std::span<const double> start_ns, std::span<const double> ns,
                                 double ops_per_sample, double width_s);

// What a machine does at first and what it keeps up. Rates are ops per second.
struct SustainedRate {
  double burst = 0;                       // median of the first tenth, its first window left out
  double sustained = 0;                   // median of the last third
  std::optional<Interval> interval;       // of `sustained`: 95 %
  std::optional<double> settled_after_s;  // from when on it stays within 3 % of `sustained`
};
// nullopt for fewer than 12 windows: too short to tell the two apart.
std::optional<SustainedRate> sustained_rate(std::span<const Window> windows);

}  // namespace ridge::stats
