#pragma once

#include <optional>
#include <span>

#include "stats/interval.h"

namespace ridge::stats {

// A relative change of time per op from the beginning to the end: 0.15 is 15 % slower at the end.
struct Change {
  double value = 0;
  Interval interval;
  bool operator==(const Change&) const = default;
};

// Theil-Sen slope of log time over the span of `at_s`, for one uninterrupted series of samples (ns,
// in order, taken at those seconds). Long series are cut into 60 blocks, whose medians are used.
// The interval is Sen's, its rank variance inflated by the residuals' lag-1 autocorrelation.
// nullopt below 8 samples, or when autocorrelation leaves too little to judge by.
std::optional<Change> theil_sen_change(std::span<const double> samples,
                                       std::span<const double> at_s, double confidence = 0.95);

// The steady samples of one round, and when in the run each was taken.
struct RoundSeries {
  std::span<const double> samples;  // ns per op
  std::span<const double> at_s;     // seconds since the run began, ascending
};

struct DriftRule {
  double tolerance = 0.02;  // a change within ± this is no drift
  double confidence = 0.95;
  double process_cv = 0.01;   // bias of one process, known beforehand, worth as much as …
  double process_weight = 4;  // … so many degrees of freedom: 3 rounds alone can prove nothing
};

struct Drift {
  std::optional<Change> across;  // from the first round to the last; from 3 rounds
  std::optional<Change> within;  // of a round, from its beginning to its end: the rounds' mean
  bool flagged = false;          // an interval lies outside the tolerance altogether
};

// Drift of a row. `across` is the line through the rounds' medians, its error from their scatter
// about it, so that a process's own bias is not taken for drift. `within` is Student's interval of
// the rounds' own Theil-Sen changes (from 3 rounds, free of any model of autocorrelation; with 1 or
// 2 rounds, theil_sen_change of the round that changed most).
Drift drift_over(std::span<const RoundSeries> rounds, const DriftRule& rule = {});

}  // namespace ridge::stats
