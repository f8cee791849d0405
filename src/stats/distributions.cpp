#include "stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace ridge::stats {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Acklam's rational approximation, relative error below 1.2e-9.
double rough_normal_quantile(double p) {
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                          6.680131188771972e+01, -1.328068155288572e+01};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                          3.754408661907416e+00};
  if (p < 0.02425) {
    const double q = std::sqrt(-2 * std::log(p));
    return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  }
  const double q = p - 0.5, r = q * q;
  return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
         (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

// Continued fraction of the incomplete beta function, by Lentz's method (DLMF 8.17.22).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
  double value = d;
  for (int m = 1; m < 100000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1;
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
      if (std::fabs(c) < kTiny) c = kTiny;
      factor = c * d;
      value *= factor;
    }
    if (std::fabs(factor - 1) < 1e-16) break;
  }
  return value;
}

// P(T > t) for t >= 0; keeps its relative precision in the far tail.
double student_t_upper(double t, double degrees) {
  return 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

}  // namespace

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_quantile(double p) {
  if (!(p > 0 && p < 1)) {
    return p == 0 ? -kInfinity : p == 1 ? kInfinity : std::numeric_limits<double>::quiet_NaN();
  }
  if (p > 0.5) return -normal_quantile(1 - p);
  const double z = rough_normal_quantile(p);
  // One step of Halley's method.
  const double error = normal_cdf(z) - p;
  const double u = error * std::sqrt(2 * std::numbers::pi) * std::exp(z * z / 2);
  return z - u / (1 + z * u / 2);
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  // The fraction converges fast on this side of the mean only.
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_t_cdf(double t, double degrees) {
  const double upper = student_t_upper(std::fabs(t), degrees);
  return t > 0 ? 1 - upper : upper;
}

double student_t_quantile(double p, double degrees) {
  if (!(degrees > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (!(p > 0 && p < 1)) return normal_quantile(p);
  if (p == 0.5) return 0;
  if (p > 0.5) return -student_t_quantile(1 - p, degrees);
  double low = 0, high = 1;  // of -t
  while (student_t_upper(high, degrees) > p && high < 1e300) low = high, high *= 2;
  for (int step = 0; step < 200; ++step) {
    const double middle = std::midpoint(low, high);
    if (middle == low || middle == high) break;
    (student_t_upper(middle, degrees) > p ? low : high) = middle;
  }
  return -std::midpoint(low, high);
}

double binomial_cdf(int64_t k, int64_t n, double p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incomplete_beta(static_cast<double>(n - k), static_cast<double>(k + 1), 1 - p);
}

int64_t binomial_quantile(double probability, int64_t n, double p) {
  if (!(probability > 0)) return 0;
  if (probability >= 1) return n;
  const double mean = static_cast<double>(n) * p;
  const double guess = mean + normal_quantile(probability) * std::sqrt(mean * (1 - p));
  int64_t k = std::clamp(static_cast<int64_t>(guess), int64_t{0}, n);
  while (k > 0 && binomial_cdf(k - 1, n, p) >= probability) --k;
  while (binomial_cdf(k, n, p) < probability) ++k;
  return k;
}

}  // namespace ridge::stats
