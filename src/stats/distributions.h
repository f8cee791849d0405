#pragma once

#include <cstdint>

namespace ridge::stats {

// Distribution functions and their inverses, to about 1e-12 relative (1e-9 in far tails).
// A probability outside (0, 1) gives an infinity or NaN.
double normal_cdf(double z);
double normal_quantile(double p);

// Regularized incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1].
double incomplete_beta(double a, double b, double x);

double student_t_cdf(double t, double degrees);
double student_t_quantile(double p, double degrees);  // degrees > 0, need not be whole

// P(X <= k) of X ~ Binomial(n, p), and the least k for which that is at least `probability`.
double binomial_cdf(int64_t k, int64_t n, double p);
int64_t binomial_quantile(double probability, int64_t n, double p);

}  // namespace ridge::stats
