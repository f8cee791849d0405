#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace ridge {

// What the numbers of an axis are, which decides how they are rounded and written.
enum class Quantity {
  flop_per_byte,  // 0.1, 1, 10
  flop_per_s,     // "100 GFLOPS"
  byte_per_s,     // "50 GB/s"
  bytes,          // powers of two: "32 KiB"
  ns,             // "10 ns", "1 us"
};

struct Axis {
  Quantity quantity = Quantity::ns;
  bool logarithmic = true;
  double lo = 1, hi = 10;  // lo < hi; above 0 where logarithmic

  // 0 at lo, 1 at hi; rises with the value. Beyond both where the value is.
  double at(double value) const;
  double value(double part) const;  // the inverse
  bool holds(double value) const { return lo <= value && value <= hi; }
};

// An axis round all values (positive and finite, see plausible()), at least `least_ratio` long,
// with a part `margin` of its length free at both ends. No values: 1 to 10.
Axis log_axis(Quantity quantity, std::span<const double> values, double least_ratio, double margin);
// From 0 to a little above the largest.
Axis linear_axis(Quantity quantity, std::span<const double> values);

// Finite and within what any machine of this century has of it; other numbers would leave a picture
// no room for the rest.
bool plausible(Quantity quantity, double value);

struct Tick {
  double value = 0;
  std::string label;
};
// The densest round numbers that `fits` allows: 1-2-5, 1-3, decades, every second …; powers of two
// for bytes. None if it allows no choice.
std::vector<Tick> ticks(const Axis& axis,
                        const std::function<bool(const std::vector<Tick>&)>& fits);

}  // namespace ridge
