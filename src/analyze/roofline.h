#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stats/interval.h"
#include "store/run_file.h"

// What a machine was seen to be able to do, and what of that limits each row. Everything here was
// measured on it; the figures that are published of a chip stand beside, see chip_verdict.h.
namespace ridge {

// The best that rows of one device reached at one thing.
struct Roof {
  enum class Kind {
    compute,  // products of a dtype: executed FLOP/s
    memory,   // read, write, copy or triad in one level: byte/s
    call,     // the cost of a call that does nothing: calls a second
  };
  Kind kind = Kind::compute;
  std::string device;     // physical: "cpu", or a GPU's name; workers share it
  int threads = 0;        // as in Settings
  std::string operation;  // "bf16"; "read"; "call"
  std::string level;      // of memory: "L1", "L2", "L3", "memory"
  stats::Estimate rate;   // the interval is empty (lo == hi == value) where the row has none
  std::string from;       // row_key
};

// A least time that a row needs by one roof.
struct Limit {
  Roof::Kind kind = Roof::Kind::compute;
  std::string name;             // "compute bf16", "L2 read", "memory read + write", "call"
  double floor_ns = 0;          // of one op
  double share = 0;             // floor / time: 1 at the roof
  stats::Interval share_range;  // from the intervals of the row and the roof
};

// From this share on a row is said to be bound by a limit.
inline constexpr double kBoundFrom = 0.70;

struct Placement {
  std::string refused;        // why the row has no place; empty: it has
  std::vector<Limit> limits;  // the nearest (of the longest floor) first
  // The limit that binds it; null: none does, the library leaves time on the table.
  const Limit* bound() const {
    return !limits.empty() && limits.front().share >= kBoundFrom ? &limits.front() : nullptr;
  }
};

struct Roofline {
  std::vector<Roof> roofs;
};

// Roofs of one machine from all its runs.
Roofline roofline(const std::vector<const Run*>& runs);

// Where a row of `run` lies under them. Refused: rows that are not ok or have no time, work without
// a rate, a dtype or an operation that has no roof.
Placement place(const Roofline& roofline, const Run& run, const Row& row);

// The same device has the same name whichever worker drives it: "cpu", or a GPU's name.
std::string physical_device(const Header& header, const std::string& worker,
                            const std::string& device);

}  // namespace ridge
