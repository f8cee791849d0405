#pragma once

#include <cstdint>
#include <span>

namespace ridge::stats {

// Lag-1 autocorrelation r in [0, 0.999], from which the effective sample size follows. Values are
// first drawn in to median ± 3 · 1.4826 MAD, or a few outliers would hide the correlation. The
// estimate's small-sample bias is removed: r = max(0, r1 + (1 + 4·r1)/n) (Marriott and Pope 1954).
// 0 for n < 3 and for values that do not vary.
double lag1_autocorrelation(std::span<const double> values);

// How many independent values n values are worth: n·(1-r)/(1+r), an AR(1) process.
double effective_size(int64_t n, double r);

}  // namespace ridge::stats
