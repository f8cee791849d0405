#pragma once

#include <optional>
#include <span>

namespace ridge::stats {

struct Interval {
  double lo = 0;
  double hi = 0;

  bool contains(double value) const { return lo <= value && value <= hi; }
  double width() const { return hi - lo; }
  bool operator==(const Interval&) const = default;
};

// A value (ns, or a ratio) and where it will be found again.
struct Estimate {
  double value = 0;
  Interval interval;

  // Half the interval's width over the value: the "± 1 %" of a table.
  double relative_half_width() const { return interval.width() / 2 / value; }
  bool operator==(const Estimate&) const = default;
};

// Below this effective sample size no interval is given: simulated, it would not cover.
inline constexpr double kLeastEffectiveSize = 15;

// Interval of the median of one round's steady samples, in the order they were taken: binomial
// order statistics with the effective sample size, so autocorrelation widens it. It knows nothing
// of other processes: see between_rounds_interval. nullopt below n_eff 15. O(n).
std::optional<Interval> median_interval(std::span<const double> samples, double confidence = 0.95);

// The number of a row: the geometric mean of its rounds' medians, with Student's interval on their
// logarithms (R-1 degrees of freedom) for the long-run median over processes. nullopt for fewer
// than 3 rounds or a median that is not positive and finite.
std::optional<Estimate> between_rounds_interval(std::span<const double> round_medians,
                                                double confidence = 0.95);

// Where the estimate of a further run of `next_rounds` rounds will fall (0: as many as here): a
// prediction interval, sqrt(2) times as wide as the one above for as many rounds.
std::optional<Estimate> next_run_interval(std::span<const double> round_medians,
                                          int next_rounds = 0, double confidence = 0.95);

// a / b of two independent runs: the logarithmic half-widths of facing ends added in quadrature
// (MOVER, Zou and Donner 2008). nullopt unless all ends are positive and finite.
std::optional<Estimate> ratio_interval(const Estimate& a, const Estimate& b);

}  // namespace ridge::stats
