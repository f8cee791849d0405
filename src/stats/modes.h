#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace ridge::stats {

struct Mode {
  double median = 0;  // ns per op
  double share = 0;   // of the samples (between rounds: of the rounds)
  bool operator==(const Mode&) const = default;
};

struct Modes {
  Mode fast;
  Mode slow;
  bool operator==(const Modes&) const = default;
};

// Two modes in one set of times: the best split in two of the logarithms, if the parts' medians
// lie more than 5 within-mode MADs (and 1 %) apart, each holds at least 10 %, and the middle third
// between the medians is nearly empty (a heavy tail's is not). Finds balanced modes 6 standard
// deviations apart; nearer ones are not told apart. nullopt: one mode, or n < 30. O(n log n).
std::optional<Modes> two_modes(std::span<const double> samples);

enum class ModesAre {
  within_rounds,   // one process goes back and forth: `bimodal`; the median says little
  between_rounds,  // a process stays in the mode it started in (memory placement, an algorithm)
};

struct RowModes {
  Modes modes;
  ModesAre where = ModesAre::within_rounds;
  bool operator==(const RowModes&) const = default;
};

// Two modes of a row. Within rounds: at least half of the rounds visit both modes, each by itself
// or, in short rounds, in the split of all samples. Between rounds: the rounds' medians form two
// groups more than 5 % apart and 5 times the spread inside the groups, so that the usual bias of a
// process, about 1 %, is never called a mode.
std::optional<RowModes> two_modes_over(std::span<const std::span<const double>> rounds);

}  // namespace ridge::stats
