#pragma once

#include <optional>
#include <span>
#include <vector>

#include "stats/interval.h"

namespace ridge::stats {

// P(W <= w) of Wilcoxon's signed-rank statistic of n differences without ties, exactly, for w of 0
// to n(n+1)/2: the distribution under sign flips, each of the 2^n as likely. O(n³).
std::vector<double> signed_rank_cdf(size_t n);

struct Shift {
  double value = 0;    // Hodges and Lehmann's: the median of the means of all pairs
  Interval interval;   // of those means, such that it holds what the test does not reject
  double p_value = 1;  // two-sided, of a shift of 0; ties count against it
};

// Where differences that are symmetric about it lie. One wild value in ten moves it little, where
// it moves a mean, and widens its interval, much. nullopt for so few differences that no interval
// has that confidence (below 6 for 95 %).
std::optional<Shift> signed_rank_shift(std::span<const double> differences,
                                       double confidence = 0.95);

}  // namespace ridge::stats
