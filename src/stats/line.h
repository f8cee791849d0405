#pragma once

#include <optional>
#include <span>
#include <vector>

#include "stats/interval.h"

namespace ridge::stats {

enum class LineVerdict {
  fits,
  few_rounds,  // fewer than 3
  few_points,  // fewer than 4 different k
  bad_input,   // not the same points in every round, or a time or k not positive and finite
  not_a_line,  // the rounds agree on a departure from it
};

struct LineRule {
  double confidence = 0.95;
  double misfit_level = 0.01;  // a departure is one when noise alone would show it this rarely …
  double tolerance = 0.03;     // … and makes it no line when larger than this part of the time
};

// Time t = a + b·k of k ops submitted together: `a` is the cost of the submission, `b` of one op,
// in the unit of the times. Intervals are for the values over processes, as those of a row.
struct Line {
  LineVerdict verdict = LineVerdict::fits;
  double a = 0, b = 0;  // also for not_a_line, as a description; 0 for the verdicts before it
  std::optional<Interval> a_interval, b_interval;  // only where the line fits
  double noise = 0;   // standard deviation of one round's median at large k, part of the time
  double misfit = 0;  // root mean square departure that rounds share, noise taken off: part of time
  double misfit_p = 1;      // how rarely noise alone would depart as far
  double worst_k = 0;       // where the mean departure is largest …
  double worst_misfit = 0;  // … and how far the times lie above (+) or below the line there
};

// rounds[r][i] is the median that round r (a fresh process) found at k[i], in ns. Noise is taken as
// a part of the time plus a constant, their ratio from the data; single wild medians hardly count.
// A misfit within the tolerance widens the intervals. O(rounds · points).
Line fit_line(std::span<const double> k, std::span<const std::vector<double>> rounds,
              const LineRule& rule = {});

}  // namespace ridge::stats
