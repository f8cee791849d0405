#pragma once

#include <optional>
#include <span>
#include <vector>

namespace ridge::stats {

// Quantile p in [0, 1] of sorted numbers, interpolated linearly (Hyndman and Fan's type 7, the
// default of R and NumPy). `sorted` must not be empty.
double quantile_of_sorted(std::span<const double> sorted, double p);

// nullopt for no numbers. O(n).
std::optional<double> median(std::span<const double> values);

// The same, without a copy: reorders `values`, which must not be empty.
double median_in_place(std::span<double> values);

// Median of |value - centre|, not scaled. nullopt for no numbers. O(n).
std::optional<double> median_absolute_deviation(std::span<const double> values, double centre);

std::vector<double> sorted_copy(std::span<const double> values);

// Makes a MAD the standard deviation of a Gaussian.
inline constexpr double kMadToSigma = 1.4826022185056018;

}  // namespace ridge::stats
