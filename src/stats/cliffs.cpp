#include "stats/cliffs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "stats/distributions.h"
#include "stats/least_squares.h"
#include "stats/quantile.h"

namespace ridge::stats {
namespace {

constexpr size_t kLeastPoints = 12;
constexpr size_t kBeside = 3;  // points on each side of a cliff, at least
constexpr size_t kMostRises = 6;
constexpr double kRiseCost = 3;    // parameters: height, place, search
constexpr double kCoarse = 0.002;  // how well places are found while models are chosen …
constexpr double kFine = 0.0002;   // … and in the end
constexpr double kFloor = 0.002;   // noise below this is not believed
constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum class Term { log_size, per_size, size };
using Smooth = std::vector<Term>;

const std::array<Smooth, 5>& smooth_families() {
  static const std::array<Smooth, 5> families = {
      Smooth{}, {Term::log_size}, {Term::per_size}, {Term::size}, {Term::log_size, Term::per_size}};
  return families;
}

struct Model {
  Smooth smooth;
  std::vector<double> places;  // capacities, rising
  double bic = kInfinity;
};

// Misses m of a cycle of w capacities under random replacement: a line outlives the misses of one
// turn with the chance 1 - m = exp(-w·m). Newton's method; the other solution is 0.
double cycle_misses(double w) {
  double m = 1;
  for (int i = 0; i < 40; ++i) {
    const double alive = std::exp(-w * m), step = (m - 1 + alive) / (1 - w * alive);
    m -= step;
    if (!(std::fabs(step) > 1e-12)) break;
  }
  return std::clamp(m, 0.0, 1.0);
}

// The points as rows of a regression: each divided by the value thereabouts, so that residuals are
// relative, and by how much less than the others it is known.
class Sweep {
 public:
  Sweep(std::span<const SweepPoint> points, Transition transition)
      : points_(points), transition_(transition) {
    weigh();
    for (size_t i = kBeside - 1; i + kBeside < points.size(); ++i) {
      const double here = points[i].bytes, next = points[i + 1].bytes;
      if (transition != Transition::step) candidates_.push_back(here);
      candidates_.push_back(std::sqrt(here * next));
    }
    for (const double place : candidates_) columns_.push_back(rise(place));
  }

  size_t size() const { return points_.size(); }
  int set_aside() const { return set_aside_; }
  double used() const { return used_; }  // points, one known half as well counting a quarter
  const std::vector<double>& candidates() const { return candidates_; }
  const std::vector<double>& column(size_t candidate) const { return columns_[candidate]; }
  Transition transition() const { return transition_; }
  double first_bytes() const { return points_.front().bytes; }
  double last_bytes() const { return points_.back().bytes; }

  // The gap between sizes that holds `place`, and those beside it while `allowed`.
  Interval steps_around(double place, auto allowed) const {
    size_t above = 1;
    while (points_[above].bytes <= place) ++above;
    size_t lo = above - 1, hi = above;
    const auto middle = [&](size_t i) {
      return std::sqrt(points_[i].bytes * points_[i + 1].bytes);
    };
    while (lo > 0 && allowed(middle(lo - 1))) --lo;
    while (hi + 1 < size() && allowed(middle(hi))) ++hi;
    return {points_[lo].bytes, points_[hi].bytes};
  }

  std::vector<double> rise(double place) const {
    return weighted([&](double bytes) { return shape(place, bytes); });
  }
  double shape(double place, double bytes) const {
    if (bytes <= place) return 0;
    switch (transition_) {
      case Transition::hit_ratio: return 1 - place / bytes;
      case Transition::random_cycle: return cycle_misses(bytes / place);
      case Transition::step: return 1;
    }
    return 0;
  }
  double smooth_at(const Smooth& smooth, std::span<const double> coefficients, double bytes) const {
    double value = coefficients[0];
    for (size_t i = 0; i < smooth.size(); ++i) value += coefficients[i + 1] * of(smooth[i], bytes);
    return value;
  }
  LeastSquares smooth_fit(const Smooth& smooth) const {
    std::vector<double> target(size());
    for (size_t i = 0; i < size(); ++i) target[i] = points_[i].value * weight_[i];
    LeastSquares fit(std::move(target));
    fit.add(weighted([](double) { return 1.0; }));
    for (const Term term : smooth) fit.add(weighted([&](double b) { return of(term, b); }));
    return fit;
  }
  LeastSquares fit(const Smooth& smooth, std::span<const double> places,
                   size_t without = SIZE_MAX) const {
    LeastSquares result = smooth_fit(smooth);
    for (size_t j = 0; j < places.size(); ++j) {
      if (j != without) result.add(rise(places[j]));
    }
    return result;
  }
  double bic(double squares, size_t smooth_terms, size_t rises) const {
    const double parameters =
        1 + static_cast<double>(smooth_terms) + kRiseCost * static_cast<double>(rises);
    return used() * std::log(squares / used() + kFloor * kFloor) + parameters * std::log(used());
  }

 private:
  // Powers of the first and last size, for numbers near 1.
  double of(Term term, double bytes) const {
    switch (term) {
      case Term::log_size: return std::log(bytes / points_.front().bytes);
      case Term::per_size: return points_.front().bytes / bytes;
      case Term::size: return bytes / points_.back().bytes;
    }
    return 0;
  }

  std::vector<double> weighted(auto function) const {
    std::vector<double> column(size());
    for (size_t i = 0; i < size(); ++i) column[i] = function(points_[i].bytes) * weight_[i];
    return column;
  }

  // Above the two points on each side, or below them, by more than is allowed. At the ends, from
  // where the two beside it lead to, whose noise adds up.
  static bool stands_alone(const std::vector<double>& logs, size_t i, double allowed) {
    const size_t n = logs.size();
    if (i == 0 || i == n - 1) {
      if (stands_alone(logs, i == 0 ? 1 : n - 2, allowed)) return false;  // it leads nowhere
      const double led = i == 0 ? 2 * logs[1] - logs[2] : 2 * logs[n - 2] - logs[n - 3];
      return std::fabs(logs[i] - led) > std::sqrt(6) * allowed;
    }
    bool above = true, below = true;
    for (size_t j = i < 2 ? 0 : i - 2; j <= std::min(i + 2, n - 1); ++j) {
      if (j == i) continue;
      above = above && logs[i] - logs[j] > allowed;
      below = below && logs[j] - logs[i] > allowed;
    }
    return above || below;
  }

  void weigh() {
    const size_t n = size();
    std::vector<double> logs(n), errors(n), bends;
    for (size_t i = 0; i < n; ++i) {
      logs[i] = std::log(points_[i].value), errors[i] = points_[i].relative_error;
    }
    for (size_t i = 1; i + 1 < n; ++i) {
      bends.push_back(std::fabs(logs[i] - (logs[i - 1] + logs[i + 1]) / 2));
    }
    const double noise = kMadToSigma * median_in_place(bends) / std::sqrt(1.5);
    const double typical = median_in_place(errors);
    weight_.resize(n);
    const double allowed = std::max(5 * noise, 0.03);
    for (size_t i = 0; i < n; ++i) {
      const bool alone = stands_alone(logs, i, allowed);
      set_aside_ += alone;
      // The value thereabouts: median of five, which keeps rises; at the ends of fewer.
      const size_t reach = std::min({i, n - 1 - i, size_t{2}});
      const auto first = logs.begin() + static_cast<std::ptrdiff_t>(i - reach);
      std::vector<double> near(first, first + static_cast<std::ptrdiff_t>(2 * reach + 1));
      const double level = median_in_place(near);
      // An error from a few rounds is a rough number: what came out small is not believed.
      const double error = points_[i].relative_error;
      const double worse = typical > 0 ? std::max(error / typical, 1.0) : 1;
      weight_[i] = alone ? 0 : 1 / (std::exp(level) * worse);
      used_ += alone ? 0 : 1 / (worse * worse);
    }
  }

  std::span<const SweepPoint> points_;
  Transition transition_;
  std::vector<double> weight_, candidates_;
  std::vector<std::vector<double>> columns_;
  int set_aside_ = 0;
  double used_ = 0;
};

// The place where a rise takes most off, or 0 if none would be upwards.
double best_place(const Sweep& sweep, const LeastSquares& others) {
  double best = 0, place = 0;
  for (size_t c = 0; c < sweep.candidates().size(); ++c) {
    const auto gain = others.gain(sweep.column(c));
    if (gain.coefficient > 0 && gain.squares > best) {
      best = gain.squares, place = sweep.candidates()[c];
    }
  }
  return place;
}

// From a candidate to the place itself, to the part `finest` of it.
double polished(const Sweep& sweep, const LeastSquares& others, double place, double finest) {
  if (place == 0) return place;
  const double least = sweep.candidates().front(), most = sweep.candidates().back();
  double best = others.gain(sweep.rise(place)).squares;
  if (sweep.transition() == Transition::step) {  // the middle of the gap, points set aside in it
    const auto same = [&](double at) {
      return others.gain(sweep.rise(at)).squares >= best * (1 - 1e-9);
    };
    const Interval gap = sweep.steps_around(place, same);
    return std::sqrt(gap.lo * gap.hi);
  }
  for (double step = 0.06; step > finest; step /= 2) {
    for (const double at : {place * (1 - step), place * (1 + step)}) {
      if (at < least || at > most) continue;
      const auto gain = others.gain(sweep.rise(at));
      if (gain.coefficient > 0 && gain.squares > best) best = gain.squares, place = at;
    }
  }
  return place;
}

// Every rise anew, given the others; those that would fall are left out.
Model refined(const Sweep& sweep, Model model, double finest = kCoarse) {
  constexpr int kSweeps = 3;
  for (int turn = 0; turn < kSweeps; ++turn) {
    const auto before = model.places;
    for (size_t j = 0; j < model.places.size(); ++j) {
      const LeastSquares others = sweep.fit(model.smooth, model.places, j);
      const double place = turn == 0 ? best_place(sweep, others) : model.places[j];
      model.places[j] = polished(sweep, others, place, finest);
    }
    std::erase(model.places, 0.0);
    std::sort(model.places.begin(), model.places.end());
    if (model.places == before) break;
  }
  const LeastSquares fit = sweep.fit(model.smooth, model.places);
  const auto coefficients = fit.coefficients();
  const bool falls =
      std::any_of(coefficients.begin() + static_cast<std::ptrdiff_t>(model.smooth.size()) + 1,
                  coefficients.end(), [](double rise) { return rise < 0; });
  model.bic = falls ? kInfinity
                    : sweep.bic(fit.residual_squares(), model.smooth.size(), model.places.size());
  return model;
}

// The best model with these smooth terms: rises taken in while that pays, two at a time if need be.
Model grown(const Sweep& sweep, const Smooth& smooth) {
  Model best{smooth, {}, kInfinity}, model = refined(sweep, best);
  best = model;
  int in_vain = 0;
  while (model.places.size() < kMostRises && in_vain < 2) {
    const LeastSquares fit = sweep.fit(model.smooth, model.places);
    const double place = best_place(sweep, fit);
    if (place == 0) break;
    const size_t rises = model.places.size();
    model.places.push_back(place);
    model = refined(sweep, std::move(model));
    if (model.places.size() <= rises) break;
    in_vain = model.bic < best.bic ? 0 : in_vain + 1;
    if (model.bic < best.bic) best = model;
  }
  return best;
}

// Where the place of rise j may be. Steps: wherever the squares stay below what Student's quantile
// allows, the other places being right. Rises: Student's interval on the logarithm, from the
// derivatives by all places and heights at once (Gauss and Newton).
Interval place_interval(const Sweep& sweep, const Model& model, std::span<const double> heights,
                        size_t j, double confidence) {
  const LeastSquares others = sweep.fit(model.smooth, model.places, j);
  const double place = model.places[j], total = others.residual_squares();
  const double parameters = 1 + static_cast<double>(model.smooth.size() + 2 * model.places.size());
  const double degrees = std::max(sweep.used() - parameters, 1.0);
  const double least =
      total - others.gain(sweep.rise(place)).squares + sweep.used() * kFloor * kFloor;
  const double quantile = student_t_quantile((1 + confidence) / 2, degrees);
  if (sweep.transition() == Transition::step) {
    const double slack = least * quantile * quantile / degrees;
    return sweep.steps_around(place, [&](double at) {
      return total - others.gain(sweep.rise(at)).squares + sweep.used() * kFloor * kFloor <=
             least + slack;
    });
  }
  LeastSquares linear = sweep.fit(model.smooth, model.places);
  const auto by_log = [&](size_t i) {
    constexpr double kStep = 1e-3;
    auto up = sweep.rise(model.places[i] * (1 + kStep));
    const auto down = sweep.rise(model.places[i] * (1 - kStep));
    for (size_t row = 0; row < up.size(); ++row) {
      up[row] = heights[i] * (up[row] - down[row]) / (2 * kStep);
    }
    return up;
  };
  for (size_t i = 0; i < model.places.size(); ++i) {
    if (i != j) linear.add(by_log(i));
  }
  const double left = linear.gain(by_log(j)).left;
  const double half = left > 0 ? quantile * std::sqrt(least / degrees / left) : kInfinity;
  return {std::max(place * std::exp(-half), sweep.first_bytes()),
          std::min(place * std::exp(half), sweep.last_bytes())};
}

// The best model without the rises from `first` to before `last`, whatever the smooth terms.
Model without(const Sweep& sweep, const Model& model, size_t first, size_t last) {
  Model best;
  for (const Smooth& smooth : smooth_families()) {
    Model other{smooth, model.places, kInfinity};
    other.places.erase(other.places.begin() + static_cast<std::ptrdiff_t>(first),
                       other.places.begin() + static_cast<std::ptrdiff_t>(last));
    other = refined(sweep, std::move(other));
    if (other.bic < best.bic) best = std::move(other);
  }
  return best;
}

// Of models between which there is no strong evidence, the one with fewest rises. Else one rise too
// many, free to move, would stand in for any other that is left out, and take its evidence away.
Model pruned(const Sweep& sweep, Model model, double least_evidence) {
  while (!model.places.empty()) {
    Model best;
    for (size_t j = 0; j < model.places.size(); ++j) {
      Model other = without(sweep, model, j, j + 1);
      if (other.bic < best.bic) best = std::move(other);
    }
    if (best.bic - model.bic >= least_evidence) break;
    model = std::move(best);
  }
  return model;
}

Model best_of_families(const Sweep& sweep) {
  Model model;
  for (const Smooth& smooth : smooth_families()) {
    Model candidate = grown(sweep, smooth);
    if (candidate.bic < model.bic) model = std::move(candidate);
  }
  return model;
}

Cliffs claimed(std::span<const SweepPoint> points, const Sweep& sweep, const Model& model,
               const CliffRule& rule) {
  const LeastSquares fit = sweep.fit(model.smooth, model.places);
  const auto coefficients = fit.coefficients();
  const std::span<const double> rises = std::span(coefficients).subspan(model.smooth.size() + 1);
  Cliffs result;
  result.transition = sweep.transition();
  result.noise = std::sqrt(fit.residual_squares() / sweep.used());
  result.set_aside = sweep.set_aside();
  for (const SweepPoint& point : points) {
    double value = sweep.smooth_at(model.smooth, coefficients, point.bytes);
    for (size_t j = 0; j < rises.size(); ++j) {
      value += rises[j] * sweep.shape(model.places[j], point.bytes);
    }
    result.fitted.push_back(value);
  }

  double below = 0;  // rises before this cliff
  for (size_t first = 0, last = 0; first < rises.size(); first = last) {
    double height = 0, place = 0;
    Interval interval{kInfinity, 0};
    do {
      height += rises[last], place += rises[last] * model.places[last];
      const Interval own = place_interval(sweep, model, rises, last, rule.confidence);
      interval = {std::min(interval.lo, own.lo), std::max(interval.hi, own.hi)};
      ++last;
    } while (last < rises.size() &&
             model.places[last] < rule.merge_within * model.places[last - 1]);
    Cliff cliff;
    cliff.capacity = {place / height, interval};
    cliff.before = sweep.smooth_at(model.smooth, coefficients, cliff.capacity.value) + below;
    cliff.after = cliff.before + height;
    below += height;
    if (!(cliff.before > 0) || cliff.ratio() < rule.least_ratio) continue;
    cliff.evidence = without(sweep, model, first, last).bic - model.bic;
    if (cliff.evidence >= rule.least_evidence) result.cliffs.push_back(cliff);
  }
  return result;
}

}  // namespace

SweepPoint sweep_point(double bytes, std::span<const double> round_medians) {
  const auto count = static_cast<double>(round_medians.size());
  double mean = 0, squares = 0;
  for (const double median : round_medians) {
    if (!(median > 0)) return {bytes, 0, 0};
    mean += std::log(median) / count;
  }
  if (round_medians.empty()) return {bytes, 0, 0};
  for (const double median : round_medians) squares += std::pow(std::log(median) - mean, 2);
  return {bytes, std::exp(mean), count > 1 ? std::sqrt(squares / (count - 1) / count) : 0};
}

std::optional<Cliffs> find_cliffs(std::span<const SweepPoint> points, const CliffRule& rule) {
  if (points.size() < kLeastPoints) return std::nullopt;
  for (size_t i = 0; i < points.size(); ++i) {
    const SweepPoint& p = points[i];
    const bool good = std::isfinite(p.bytes) && p.bytes > 0 && std::isfinite(p.value) &&
                      p.value > 0 && std::isfinite(p.relative_error) && p.relative_error >= 0;
    if (!good || (i > 0 && p.bytes <= points[i - 1].bytes)) return std::nullopt;
  }
  std::vector<Transition> forms = {Transition::hit_ratio, Transition::random_cycle,
                                   Transition::step};
  if (rule.transition) forms = {*rule.transition};
  std::optional<Sweep> best;
  Model model;
  for (const Transition form : forms) {
    const Sweep sweep(points, form);
    Model candidate = best_of_families(sweep);
    if (!best || candidate.bic < model.bic) best = sweep, model = std::move(candidate);
  }
  model = pruned(*best, std::move(model), rule.least_evidence);
  model = refined(*best, std::move(model), kFine);
  return claimed(points, *best, model, rule);
}

}  // namespace ridge::stats
