#include "stats/line.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "stats/distributions.h"
#include "stats/quantile.h"

namespace ridge::stats {
namespace {

struct Coefficients {
  double a = 0, b = 0;
  double at(double k) const { return a + b * k; }
};

// One line a round.
struct Fits {
  std::vector<Coefficients> lines;
  double scale = 0;  // robust deviation of the residuals over their spread
};

struct Data {
  std::span<const double> k;
  std::span<const std::vector<double>> rounds;
  size_t points() const { return k.size(); }
  double residual(const Fits& fits, size_t round, size_t i) const {
    return rounds[round][i] - fits.lines[round].at(k[i]);
  }
};

Coefficients weighted_fit(std::span<const double> k, std::span<const double> t,
                          std::span<const double> w) {
  double sum = 0, mean_k = 0, mean_t = 0;
  for (size_t i = 0; i < k.size(); ++i) sum += w[i], mean_k += w[i] * k[i], mean_t += w[i] * t[i];
  mean_k /= sum, mean_t /= sum;
  double skk = 0, skt = 0;
  for (size_t i = 0; i < k.size(); ++i) {
    skk += w[i] * (k[i] - mean_k) * (k[i] - mean_k);
    skt += w[i] * (k[i] - mean_k) * (t[i] - mean_t);
  }
  const double b = skk > 0 ? skt / skk : 0;
  return {mean_t - b * mean_k, b};
}

double huber(double u) { return std::fabs(u) <= 1.345 ? 1 : 1.345 / std::fabs(u); }
double bisquare(double u) {
  return std::fabs(u) < 4.685 ? std::pow(1 - std::pow(u / 4.685, 2), 2) : 0;
}

double pooled_scale(const Data& data, const Fits& fits, std::span<const double> spread) {
  std::vector<double> sizes;
  for (size_t r = 0; r < data.rounds.size(); ++r) {
    for (size_t i = 0; i < data.points(); ++i) {
      sizes.push_back(std::fabs(data.residual(fits, r, i)) / spread[i]);
    }
  }
  const auto n = static_cast<double>(data.points());
  return kMadToSigma * median_in_place(sizes) * std::sqrt(n / (n - 2));
}

// With noise proportional to `spread`: M-estimates with the pooled MAD as scale, Huber's first,
// which has one minimum, then Tukey's, which forgets wild points.
Fits robust_fits(const Data& data, std::span<const double> spread) {
  constexpr int kHuberSteps = 6, kSteps = 16;
  Fits fits;
  std::vector<double> weight(data.points());
  for (const auto& round : data.rounds) {
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = 1 / (spread[i] * spread[i]);
    fits.lines.push_back(weighted_fit(data.k, round, weight));
  }
  for (int step = 0; step < kSteps; ++step) {
    fits.scale = pooled_scale(data, fits, spread);
    if (!(fits.scale > 1e-12)) break;  // nothing but rounding is left
    for (size_t r = 0; r < data.rounds.size(); ++r) {
      const auto& round = data.rounds[r];
      for (size_t i = 0; i < weight.size(); ++i) {
        const double u = data.residual(fits, r, i) / spread[i] / fits.scale;
        weight[i] = (step < kHuberSteps ? huber(u) : bisquare(u)) / (spread[i] * spread[i]);
      }
      if (std::count_if(weight.begin(), weight.end(), [](double w) { return w > 0; }) < 3) continue;
      fits.lines[r] = weighted_fit(data.k, round, weight);
    }
  }
  return fits;
}

// The constant part of the noise over the proportional part, as a time: the likeliest for Laplace's
// distribution, whose tails forgive single wild points. From what rounds differ in, at one k, after
// their lines are taken off: what they share is no noise.
double constant_noise(const Data& data, const Fits& fits, std::span<const double> level) {
  std::vector<double> sizes(level.size());  // sum over rounds
  for (size_t i = 0; i < level.size(); ++i) {
    std::vector<double> residuals;
    for (size_t r = 0; r < data.rounds.size(); ++r) residuals.push_back(data.residual(fits, r, i));
    const double shared = *median(residuals);
    for (const double residual : residuals) sizes[i] += std::fabs(residual - shared);
  }
  const auto cost = [&](double constant) {  // minus the logarithm of the likelihood, per residual
    double logs = 0, sum = 0;
    for (size_t i = 0; i < level.size(); ++i) {
      const double spread = std::hypot(level[i], constant);
      logs += std::log(spread) / static_cast<double>(level.size());
      sum += sizes[i] / spread;
    }
    return std::log(sum) + logs;
  };
  const auto [least, most] = std::minmax_element(level.begin(), level.end());
  double best = 0, best_cost = cost(0);
  for (double constant = *least / 2; constant < 2 * *most; constant *= 2) {
    const double here = cost(constant);
    if (here < best_cost) best_cost = here, best = constant;
  }
  return best;
}

// Residuals of a round's own line are free of its process's bias. What they have in common is the
// departure from a line, what they differ by is noise: the F test of lack of fit, in units of
// `spread`. The departure's size is told as a part of the time, `level`.
void lack_of_fit(const Data& data, const Fits& fits, std::span<const double> spread,
                 std::span<const double> level, Line& line) {
  const auto rounds = static_cast<double>(data.rounds.size());
  const double shared_degrees = static_cast<double>(data.points()) - 2;
  const double own_degrees = shared_degrees * (rounds - 1);
  double shared = 0, own = 0, size = 0;
  for (size_t i = 0; i < data.points(); ++i) {
    double mean = 0, squares = 0;
    for (size_t r = 0; r < data.rounds.size(); ++r) mean += data.residual(fits, r, i) / rounds;
    for (size_t r = 0; r < data.rounds.size(); ++r) {
      squares += std::pow(data.residual(fits, r, i) - mean, 2);
    }
    shared += rounds * mean * mean / (spread[i] * spread[i]);
    own += squares / (spread[i] * spread[i]);
    size += (mean * mean - squares / rounds / (rounds - 1)) / (level[i] * level[i]);
    if (std::fabs(mean) / level[i] >= std::fabs(line.worst_misfit)) {
      line.worst_k = data.k[i], line.worst_misfit = mean / level[i];
    }
  }
  line.misfit = std::sqrt(std::max(size, 0.0) / shared_degrees);
  // P(F > f) of Fisher's distribution by the incomplete beta function (Abramowitz and Stegun
  // 26.6.2). Rounding alone is no departure.
  if (shared + own > 1e-20) {
    line.misfit_p = incomplete_beta(own_degrees / 2, shared_degrees / 2, own / (own + shared));
  }
}

LineVerdict usable(const Data& data) {
  const auto good = [](double x) { return x > 0 && std::isfinite(x); };
  if (!std::all_of(data.k.begin(), data.k.end(), good)) return LineVerdict::bad_input;
  for (const auto& round : data.rounds) {
    if (round.size() != data.points() || !std::all_of(round.begin(), round.end(), good)) {
      return LineVerdict::bad_input;
    }
  }
  if (data.rounds.size() < 3) return LineVerdict::few_rounds;
  if (std::set<double>(data.k.begin(), data.k.end()).size() < 4) return LineVerdict::few_points;
  return LineVerdict::fits;
}

// Student's half width of the mean of one value a round.
double between_rounds(std::span<const double> values, double mean, double confidence) {
  const auto count = static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return student_t_quantile((1 + confidence) / 2, count - 1) *
         std::sqrt(squares / (count - 1) / count);
}

// Variances of a and b when every point departs independently by `spread`.
Coefficients variances(std::span<const double> k, std::span<const double> spread) {
  double sum = 0, mean = 0, skk = 0;
  for (size_t i = 0; i < k.size(); ++i) sum += std::pow(spread[i], -2);
  for (size_t i = 0; i < k.size(); ++i) mean += k[i] * std::pow(spread[i], -2) / sum;
  for (size_t i = 0; i < k.size(); ++i) skk += std::pow((k[i] - mean) / spread[i], 2);
  return {1 / sum + mean * mean / skk, 1 / skk};
}

}  // namespace

Line fit_line(std::span<const double> k, std::span<const std::vector<double>> rounds,
              const LineRule& rule) {
  const Data data{k, rounds};
  Line line;
  line.verdict = usable(data);
  if (line.verdict != LineVerdict::fits) return line;

  std::vector<double> level(k.size()), spread;
  for (size_t i = 0; i < k.size(); ++i) {
    std::vector<double> here;
    for (const auto& round : rounds) here.push_back(round[i]);
    level[i] = median_in_place(here);
  }
  spread = level;
  Fits fits = robust_fits(data, spread);
  if (const double constant = constant_noise(data, fits, level); constant > 0) {
    for (size_t i = 0; i < k.size(); ++i) spread[i] = std::hypot(level[i], constant);
    fits = robust_fits(data, spread);
  }

  std::vector<double> a, b;
  for (const Coefficients& of_round : fits.lines) a.push_back(of_round.a), b.push_back(of_round.b);
  const auto count = static_cast<double>(rounds.size());
  for (size_t r = 0; r < a.size(); ++r) line.a += a[r] / count, line.b += b[r] / count;
  line.noise = fits.scale;

  lack_of_fit(data, fits, spread, level, line);
  const bool departs = line.misfit_p < rule.misfit_level;
  if (departs && line.misfit > rule.tolerance) {
    line.verdict = LineVerdict::not_a_line;
    return line;
  }
  double half_a = between_rounds(a, line.a, rule.confidence);
  double half_b = between_rounds(b, line.b, rule.confidence);
  if (departs) {  // small, but no noise: further rounds would not lower it
    const Coefficients variance = variances(k, level);
    const double reach = line.misfit * student_t_quantile((1 + rule.confidence) / 2,
                                                          static_cast<double>(k.size()) - 2);
    half_a = std::hypot(half_a, reach * std::sqrt(variance.a));
    half_b = std::hypot(half_b, reach * std::sqrt(variance.b));
  }
  line.a_interval = Interval{line.a - half_a, line.a + half_a};
  line.b_interval = Interval{line.b - half_b, line.b + half_b};
  return line;
}

}  // namespace ridge::stats
