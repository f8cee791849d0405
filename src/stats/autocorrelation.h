#pragma once

#include <span>

namespace ridge::stats {

// Lag-1 autocorrelation r in [0, 0.999], from which the effective sample size follows. Values are
// first drawn in to median ± 3 · 1.4826 MAD, or a few outliers would hide the correlation. The
// estimate's small-sample bias is removed: r = max(0, r1 + (1 + 4·r1)/n) (Marriott and Pope 1954).
// 0 for n < 3 and for values that do not vary.
double lag1_autocorrelation(std::span<const double> values);

// By how much autocorrelation inflates the variance of a mean or median: the AR(1) factor
// (1+r)/(1-r), of the values and of the means of 2, 4, 8, … of them while at least 20 means are
// left, whichever says most. Lag 1 alone is blind to slow wander under fast noise. Each r is taken
// `sigmas` of its standard errors high. O(n).
double variance_inflation(std::span<const double> values, double sigmas = 0);

// How many independent values these are worth: n / variance_inflation.
double effective_size(std::span<const double> values, double sigmas = 0);

}  // namespace ridge::stats
