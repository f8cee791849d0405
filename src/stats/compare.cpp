#include "stats/compare.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stats/distributions.h"
#include "stats/signed_rank.h"

namespace ridge::stats {
namespace {

constexpr size_t kLeast = 3;
// From here on signed ranks: fewer could not pass Holm's first step over 40 rows (2/2^n · 40), and
// lose more against Student's interval.
constexpr size_t kLeastForRanks = 12;
constexpr double kBandPerHalfWidth = 1.85;

bool usable(std::span<const double> times) {
  return times.size() >= kLeast && std::all_of(times.begin(), times.end(),
                                               [](double t) { return t > 0 && std::isfinite(t); });
}

struct Moments {
  double n = 0, mean = 0, variance_of_mean = 0;
};

Moments moments(std::span<const double> values) {
  Moments m{static_cast<double>(values.size()), 0, 0};
  for (const double v : values) m.mean += v / m.n;
  for (const double v : values) m.variance_of_mean += (v - m.mean) * (v - m.mean);
  m.variance_of_mean /= m.n * (m.n - 1);
  return m;
}

std::vector<double> logs(std::span<const double> times) {
  std::vector<double> out(times.begin(), times.end());
  for (double& v : out) v = std::log(v);
  return out;
}

// From the mean of logarithms, its standard error and the degrees of freedom.
Speedup speedup(double log_ratio, double error, double degrees, double confidence) {
  const double half = student_t_quantile((1 + confidence) / 2, degrees) * error;
  Speedup out;
  out.ratio = {std::exp(log_ratio), {std::exp(log_ratio - half), std::exp(log_ratio + half)}};
  out.degrees = degrees;
  if (error > 0) {
    out.p_value = 2 * student_t_cdf(-std::abs(log_ratio) / error, degrees);
  } else {
    out.p_value = log_ratio == 0 ? 1 : 0;
  }
  return out;
}

}  // namespace

std::optional<Speedup> paired_speedup(std::span<const double> a, std::span<const double> b,
                                      double confidence) {
  if (a.size() != b.size() || !usable(a) || !usable(b)) return std::nullopt;
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = std::log(a[i] / b[i]);
  const Moments m = moments(differences);
  const auto shift =
      a.size() < kLeastForRanks ? std::nullopt : signed_rank_shift(differences, confidence);
  if (shift) {
    return Speedup{
        {std::exp(shift->value), {std::exp(shift->interval.lo), std::exp(shift->interval.hi)}},
        shift->p_value,
        m.n - 1};
  }
  return speedup(m.mean, std::sqrt(m.variance_of_mean), m.n - 1, confidence);
}

std::optional<Speedup> independent_speedup(std::span<const double> a, std::span<const double> b,
                                           double confidence) {
  if (!usable(a) || !usable(b)) return std::nullopt;
  const Moments x = moments(logs(a)), y = moments(logs(b));
  const double variance = x.variance_of_mean + y.variance_of_mean;
  double degrees = x.n + y.n - 2;
  if (variance > 0) {  // Welch and Satterthwaite
    degrees = variance * variance /
              (x.variance_of_mean * x.variance_of_mean / (x.n - 1) +
               y.variance_of_mean * y.variance_of_mean / (y.n - 1));
  }
  return speedup(x.mean - y.mean, std::sqrt(variance), degrees, confidence);
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return p_values[i] < p_values[j]; });
  std::vector<double> adjusted(p_values.size());
  double most = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    most = std::max(most, p_values[order[rank]] * static_cast<double>(order.size() - rank));
    adjusted[order[rank]] = std::min(most, 1.0);
  }
  return adjusted;
}

std::string_view name(SpeedVerdict verdict) {
  switch (verdict) {
    case SpeedVerdict::faster: return "FASTER";
    case SpeedVerdict::slower: return "SLOWER";
    case SpeedVerdict::same: return "SAME";
    case SpeedVerdict::unclear: break;
  }
  return "UNCLEAR";
}

double band(const Speedup& speedup, const SpeedRule& rule) {
  const double half = std::log(speedup.ratio.interval.hi / speedup.ratio.interval.lo) / 2;
  return std::clamp(std::expm1(kBandPerHalfWidth * half), rule.least_band, rule.most_band);
}

SpeedVerdict judge(const Speedup& speedup, double adjusted_p, double band, const SpeedRule& rule) {
  const auto within = [](double ratio, double part) {
    return std::abs(std::log(ratio)) <= std::log1p(part);
  };
  const Interval& interval = speedup.ratio.interval;
  if (within(interval.lo, band) && within(interval.hi, band)) return SpeedVerdict::same;
  if (adjusted_p < rule.level && !within(speedup.ratio.value, rule.least_band)) {
    return speedup.ratio.value > 1 ? SpeedVerdict::faster : SpeedVerdict::slower;
  }
  return SpeedVerdict::unclear;
}

}  // namespace ridge::stats
