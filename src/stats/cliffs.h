#pragma once

#include <optional>
#include <span>
#include <vector>

#include "stats/interval.h"

namespace ridge::stats {

// A working set's size and what was measured on it: latency in ns per access, or time per byte.
struct SweepPoint {
  double bytes = 0;
  double value = 0;
  double relative_error = 0;  // standard error over value, of several rounds; 0: not known
};

// Geometric mean of the rounds' medians and its standard error; value 0 if one is not positive.
SweepPoint sweep_point(double bytes, std::span<const double> round_medians);

// How the value rises where the working set W outgrows a level of capacity C.
enum class Transition {
  // Accesses at random: a part C/W still hits, so the misses are 1 - C/W.
  hit_ratio,
  // Round a random cycle, a random line evicted at each miss (or nearly so, as pseudo-LRU does):
  // the
  // misses m solve 1 - m = exp(-m·W/C). A chase of pointers.
  random_cycle,
  // In order, the oldest evicted: nothing hits any more beyond C, which is known to a gap of sizes.
  step,
};

struct CliffRule {
  std::optional<Transition> transition;  // none: the one that fits best (lowest BIC)
  double least_ratio = 1.25;             // after / before; a smaller rise is fitted but not claimed
  double least_evidence = 10;            // "very strong" (Kass and Raftery 1995)
  double merge_within = 2;  // capacities nearer than this factor are one, softer, cliff
  double confidence = 0.95;
};

struct Cliff {
  Estimate capacity;    // bytes
  double before = 0;    // the value of the level that ends here …
  double after = 0;     // … and of the next one, which it nears as the working set grows
  double evidence = 0;  // BIC of the best model without this cliff, smooth ones included, less BIC
  double ratio() const { return after / before; }
};

struct Cliffs {
  std::vector<Cliff> cliffs;   // by rising capacity
  std::vector<double> fitted;  // the model's value at each point
  Transition transition = Transition::hit_ratio;
  double bic = 0;     // of the model, up to what depends on the points alone
  double noise = 0;   // root mean square departure from it, as a part of the value
  int set_aside = 0;  // points alone far from both neighbours, which the fit leaves out
};

// Fits value = smooth + sum of rises, where smooth is one of: constant; + c·log W (a drift); + c/W
// (a fixed cost a pass, so that time is a + b·bytes); + c·W; + c·log W + d/W. Rises are taken in
// while BIC falls, a rise costing three parameters: height, place, and the search for the place
// (Friedman 1991). A cliff is claimed where leaving it out makes every model worse by
// `least_evidence` and the level after it is `least_ratio` times dearer. nullopt below 12 points,
// or unless bytes ascend and values are positive and finite. O(points² · rises²).
std::optional<Cliffs> find_cliffs(std::span<const SweepPoint> points, const CliffRule& rule = {});

}  // namespace ridge::stats
