#pragma once

#include <span>

namespace ridge::stats {

// Lag-1 autocorrelation r in [0, 0.999], from which the effective sample size follows. Values are
// first drawn in to median ± 3 · 1.4826 MAD, or a few outliers would hide the correlation. The
// estimate's small-sample bias is removed: r = max(0, r1 + (1 + 4·r1)/n) (Marriott and Pope 1954).
// 0 for n < 3 and for values that do not vary.
double lag1_autocorrelation(std::span<const double> values);

// By how much autocorrelation inflates the variance of a mean or median.
struct Inflation {
  double likely = 1;
  double at_most = 1;  // each r two of its standard errors higher; `likely` if lag 1 is below those
};

// The AR(1) factor (1+r)/(1-r) of the values, and of the means of 2, 4, 8, … of them while at least
// 20 means are left, whichever says most: lag 1 alone is blind to slow wander under fast noise.
// The effective sample size is n over it. O(n).
Inflation variance_inflation(std::span<const double> values);

}  // namespace ridge::stats
