#pragma once

#include <optional>
#include <span>

#include "stats/drift.h"
#include "stats/interval.h"
#include "stats/modes.h"
#include "stats/stopping.h"

namespace ridge::stats {

// What a row says in the end.
struct RowEstimate {
  double value = 0;                  // ns: geometric mean of the rounds' medians
  std::optional<Interval> interval;  // for its long-run value over processes; none for a caveat
  Caveat caveat = Caveat::none;      // few_samples: fewer than 3 rounds; not_steady: more than a
                                 // quarter of the rounds; bimodal: within rounds; imprecise: wider
                                 // than ± target, but there is an interval
  // Where a further run's estimate falls, said of what was measured, steady or not: the interval
  // from the rounds' medians, also where a caveat keeps `interval` from claiming the steady value.
  // None below 3 rounds, and none where two modes share the samples so evenly (neither has three
  // quarters) that the median is no stable number.
  std::optional<Interval> between_rounds;
  Drift drift;
  std::optional<RowModes> modes;  // those between rounds leave the interval: it is wide enough
};

// The rounds' steady samples, in order, and how many of the rounds ended not_steady. nullopt if no
// round has samples, or not all times are positive.
std::optional<RowEstimate> estimate_row(std::span<const RoundSeries> rounds, int not_steady = 0,
                                        double target = 0.01, double confidence = 0.95);

}  // namespace ridge::stats
