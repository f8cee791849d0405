#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stats/interval.h"
#include "store/run_file.h"

// What a machine was seen to be able to do, and what of that limits each row. Everything here was
// measured on it; the figures that are published of a chip stand beside, see chip_verdict.h.
namespace ridge {

// The best that rows of one device reached at one thing. The best, not the median: a roof is what
// the device can do, and what keeps small or noisy rows below it is what a share is to show.
struct Roof {
  enum class Kind {
    compute,  // products of a dtype: executed FLOP/s
    memory,   // read, write, copy or triad in one level: byte/s
    call,     // a call that does next to nothing: calls a second
    file,     // a file's bytes into memory: byte/s
  };
  Kind kind = Kind::compute;
  std::string device;     // physical: "cpu", or a GPU's name; workers share it
  int threads = 0;        // as in Settings; what asks for all cores by number is 0, too
  std::string operation;  // "bf16"; "read"; "call", "call and wait", "graph call" …
  std::string level;      // of memory: "L1", "L2", "L3", "memory"; of a file: "cold", "hot"
  stats::Estimate rate;   // the interval is empty (lo == hi == value) where the row has none
  std::string from;       // row_key
  std::string run;        // the id of its run, as a row_key may stand in several
  std::string worker;     // of a call, which costs what its library takes; else empty
};
std::string_view name(Roof::Kind kind);
RateUnit unit_of(const Roof& roof);

// The most that a level of cache holds for so many threads: of per-core caches, all that they use.
struct CacheLevel {
  std::string device;
  int threads = 0;
  std::string name;  // "L2"
  double bytes = 0;
  bool measured = false;  // a cliff was found there (series.h); else the system says so
};

// A least time that a row needs by one roof.
struct Limit {
  Roof::Kind kind = Roof::Kind::compute;
  std::string name;  // "compute bf16", "L2 read", "memory read + write", "call", "cold file read"
  double floor_ns = 0;          // of one op
  double share = 0;             // floor / time: 1 at the roof
  stats::Interval share_range;  // from the intervals of the row and the roof
  bool is_roof = false;         // the roof is this very row: its share tells nothing
  std::string from;      // row_key of the row that made the roof (of reads, if there are two)
  std::string why = {};  // this roof, where it is not the row's own dtype that says so
};

// From this share on a row is said to be bound by a limit.
inline constexpr double kBoundFrom = 0.70;

struct Placement {
  std::string refused;        // why the row has no place; empty: it has
  bool impossible = false;    // refused, as it cannot be what it is called
  std::vector<Limit> limits;  // the nearest (of the longest floor) first
  // The limit that binds it; null: none does, the library leaves time on the table.
  const Limit* bound() const {
    return !limits.empty() && limits.front().share >= kBoundFrom ? &limits.front() : nullptr;
  }
};

struct Roofline {
  std::vector<Roof> roofs;
  std::vector<CacheLevel> levels;  // of a device and threads: from the smallest on
  std::map<std::string, double> published_bytes_per_s;  // of a device's memory, where it is known
};

// Roofs of one machine from all its runs. None is made of a row that is not ok or has no rate to
// be believed, nor of a dtype of which no product was measured that could show it.
Roofline roofline(const std::vector<const Run*>& runs);

// The roof of that name; null: none was measured. `worker` is asked of calls only. Files are the
// host's: their roofs are those of "cpu" with all cores, whichever device the bytes go to.
const Roof* find(const Roofline& roofline, Roof::Kind kind, std::string_view device, int threads,
                 std::string_view operation, std::string_view level = "",
                 std::string_view worker = "");

// Where a row of `run` lies under them. Refused: rows that are not ok or have no time, work without
// a rate, a dtype or an operation that has no roof (then with what to run to get it). A row whose
// operands lay in no known level has no memory limit, and a place only if another limit binds it.
Placement place(const Roofline& roofline, const Run& run, const Row& row);

// The same device has the same name whichever worker drives it: "cpu", or a GPU's name.
std::string physical_device(const Header& header, const std::string& worker,
                            const std::string& device);

}  // namespace ridge
