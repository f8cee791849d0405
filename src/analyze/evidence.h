#pragma once

#include <optional>
#include <string>

#include "analyze/roofline.h"

// What a single row is evidence of, for roofs and for places beneath them.
namespace ridge::evidence {

// Its writes may be left out: what they could add is below what a roof is known to.
inline constexpr double kFewWrites = 0.02;
// So far beyond the last cache, a set walked again and again finds hardly an eighth of it there.
inline constexpr double kFarBeyond = 8;

// A floor so far above the time is none for this row: small works take shorter ways through a
// library than the call that was measured, and operands may lie nearer than thought.
inline constexpr double kRefuted = 1.25;
inline constexpr double kSurelyRefuted = 1.10;  // … or, with all of its interval, above this

// Ok, with a rate and a time, and nothing that says the rate is not the machine's.
bool believable(const Row& row);

// The element type that its products ran in; nullopt: it is no product.
std::optional<std::string> product_dtype(const Row& row);
// Whether products of its sort say what the device can do. Attention does not: what it counts as
// executed is what its way is supposed to do, and may be left out by a clever kernel.
bool shows_roofs(const Row& row);
// "read", "write", "copy" or "triad"; nullopt: it does not move memory for its own sake.
std::optional<std::string> memory_operation(const Row& row);

// The least bytes that an op moves out of and into the level where its tensors lie. Layers of a
// stack hand theirs on in a cache if they can: inputs, weights and results count once. So may
// attention its score matrix.
struct Traffic {
  double read = 0, written = 0;
  double bytes() const { return read + written; }
  bool reads_only() const { return read > 0 && written < kFewWrites * bytes(); }
};
Traffic least_traffic(const Row& row);

// Median and interval of an op's time; lo == hi == value without a usable interval.
stats::Estimate time_of(const Row& row);
// work / time.
stats::Estimate rate_of(double work, const stats::Estimate& time_ns);

// As in Settings, but 0 also where a row asks for all cores by their number.
int threads_of(const Header& header, const std::string& device, const Settings& settings);

// The level in which its operands lie: "memory" for cold rows, for hot ones the first that holds
// them; "" where they lie in parts, or nobody knows.
std::string level_of(const std::vector<CacheLevel>& levels, const std::string& device, int threads,
                     const Row& row);
// The same for a row that is to show what the level can do: well inside it, not at its edges.
std::string level_shown(const std::vector<CacheLevel>& levels, const std::string& device,
                        int threads, const Row& row);

// The level's caches of a machine, as the system tells them or cliffs showed them, for each number
// of threads that rows of the run used.
void add_levels(const Run& run, std::vector<CacheLevel>& levels);

// "call", "graph call and wait", …: which roof of calls a row stands under.
std::string call_operation(const Settings& settings, bool waits);

// The least time of a row by memory, and what it is called; nullopt: a roof is missing, and
// `missing` says which.
struct Floor {
  std::string name;
  stats::Estimate ns;
  bool is_roof = false;
  std::string from;  // of the roof, or the one of reads
};
std::optional<Floor> memory_floor(const Roofline& roofline, const Run& run, const Row& row,
                                  const std::string& device, int threads, std::string& missing);

}  // namespace ridge::evidence
