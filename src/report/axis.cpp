#include "report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace ridge {
namespace {

constexpr size_t kMostTicks = 60;

struct Prefix {
  double factor;
  const char* text;
};

std::string label(Quantity quantity, double value) {
  static constexpr std::array<Prefix, 7> flops = {{{1, "FLOPS"},
                                                   {1e3, "kFLOPS"},
                                                   {1e6, "MFLOPS"},
                                                   {1e9, "GFLOPS"},
                                                   {1e12, "TFLOPS"},
                                                   {1e15, "PFLOPS"},
                                                   {1e18, "EFLOPS"}}};
  static constexpr std::array<Prefix, 5> rates = {
      {{1, "B/s"}, {1e3, "kB/s"}, {1e6, "MB/s"}, {1e9, "GB/s"}, {1e12, "TB/s"}}};
  static constexpr std::array<Prefix, 6> sizes = {{{1, "B"},
                                                   {0x1p10, "KiB"},
                                                   {0x1p20, "MiB"},
                                                   {0x1p30, "GiB"},
                                                   {0x1p40, "TiB"},
                                                   {0x1p50, "PiB"}}};
  static constexpr std::array<Prefix, 4> times = {
      {{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}}};
  const auto scaled = [&](std::span<const Prefix> steps) -> std::string {
    if (value == 0) return "0";
    const Prefix* best = &steps[0];
    for (const Prefix& step : steps) {
      if (value >= step.factor * 0.9999) best = &step;
    }
    return fmt::format("{:g} {}", value / best->factor, best->text);
  };
  switch (quantity) {
    case Quantity::flop_per_byte: return fmt::format("{:g}", value);
    case Quantity::flop_per_s: return scaled(flops);
    case Quantity::byte_per_s: return scaled(rates);
    case Quantity::bytes: return scaled(sizes);
    case Quantity::ns: return scaled(times);
  }
  return "";
}

// Powers of `base` whose exponent is a multiple of `every`, times each of `factors`.
std::vector<Tick> powers(const Axis& axis, double base, int every,
                         std::span<const double> factors) {
  std::vector<Tick> out;
  const double unit = std::log(base) * every;
  for (double k = std::floor(std::log(axis.lo) / unit); k * unit <= std::log(axis.hi); ++k) {
    for (const double factor : factors) {
      const double value = factor * std::pow(base, k * every);
      // The ends are known to rounding only.
      if (value < axis.lo * (1 - 1e-12) || value > axis.hi * (1 + 1e-12)) continue;
      out.push_back({value, label(axis.quantity, value)});
      if (out.size() > kMostTicks) return out;
    }
  }
  return out;
}

std::vector<Tick> multiples(const Axis& axis, double step) {
  std::vector<Tick> out;
  for (double k = std::ceil(axis.lo / step); k * step <= axis.hi; ++k) {
    out.push_back({k * step, label(axis.quantity, k * step)});
    if (out.size() > kMostTicks) break;
  }
  return out;
}

}  // namespace

double Axis::at(double value) const {
  if (!logarithmic) return (value - lo) / (hi - lo);
  return (std::log(value) - std::log(lo)) / (std::log(hi) - std::log(lo));
}

double Axis::value(double part) const {
  if (!logarithmic) return lo + part * (hi - lo);
  return std::exp(std::log(lo) + part * (std::log(hi) - std::log(lo)));
}

Axis log_axis(Quantity quantity, std::span<const double> values, double least_ratio,
              double margin) {
  Axis axis{.quantity = quantity};
  if (values.empty()) return axis;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  double lo = std::log(*least), hi = std::log(*most);
  const double short_by = std::max(0.0, std::log(least_ratio) - (hi - lo));
  lo -= short_by / 2;
  hi += short_by / 2;
  const double room = margin * (hi - lo);
  axis.lo = std::exp(lo - room);
  axis.hi = std::exp(hi + room);
  return axis;
}

Axis linear_axis(Quantity quantity, std::span<const double> values) {
  Axis axis{.quantity = quantity, .logarithmic = false, .lo = 0, .hi = 1};
  if (!values.empty()) axis.hi = 1.1 * *std::max_element(values.begin(), values.end());
  return axis;
}

bool plausible(Quantity quantity, double value) {
  const auto within = [&](double least, double most) { return value >= least && value <= most; };
  switch (quantity) {
    case Quantity::flop_per_byte: return within(1e-9, 1e9);
    case Quantity::flop_per_s: return within(1, 1e21);
    case Quantity::byte_per_s: return within(1, 1e18);
    case Quantity::bytes: return within(1, 0x1p60);
    case Quantity::ns: return within(1e-9, 1e12);
  }
  return false;
}

std::vector<Tick> ticks(const Axis& axis,
                        const std::function<bool(const std::vector<Tick>&)>& fits) {
  static constexpr std::array<double, 1> ones = {1};
  static constexpr std::array<double, 2> halves = {1, 3};  // of a decade, nearly
  static constexpr std::array<double, 3> rounds = {1, 2, 5};
  const auto good = [&](const std::vector<Tick>& found) {
    return !found.empty() && found.size() <= kMostTicks && fits(found);
  };
  if (!axis.logarithmic) {
    const double decade = std::pow(10, std::floor(std::log10(axis.hi - axis.lo)));
    for (const double step : {0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0}) {
      auto found = multiples(axis, step * decade);
      if (good(found)) return found;
    }
    return {};
  }
  struct Scheme {
    double base;
    int every;
    std::span<const double> factors;
  };
  static const std::vector<Scheme> decimal = {{10, 1, rounds}, {10, 1, halves}, {10, 1, ones},
                                              {10, 2, ones},   {10, 3, ones},   {10, 5, ones},
                                              {10, 10, ones},  {10, 20, ones}};
  static const std::vector<Scheme> binary = {{2, 1, ones}, {2, 2, ones},  {2, 4, ones},
                                             {2, 5, ones}, {2, 10, ones}, {2, 20, ones},
                                             {2, 40, ones}};
  std::vector<Tick> alone;  // a single tick tells no scale: only where there is no better
  for (const auto& [base, every, factors] : axis.quantity == Quantity::bytes ? binary : decimal) {
    auto found = powers(axis, base, every, factors);
    if (!good(found)) continue;
    if (found.size() > 1) return found;
    if (alone.empty()) alone = std::move(found);
  }
  return alone;
}

}  // namespace ridge
