#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analyze/roofline.h"
#include "analyze/sides.h"
#include "stats/compare.h"

namespace ridge {

// The base against one other side, at one work.
struct Pair {
  std::string key;  // Group::key
  size_t side = 1;  // into Comparison::labels; the base is 0
  Member a, b;      // the base's row and the other's, of their last runs; null where there is none
  std::string refused;                    // why there is no ratio
  std::optional<double> a_ns, b_ns;       // of one op
  std::optional<double> ratio;            // a / b: above 1 where b is faster
  std::optional<stats::Speedup> speedup;  // where there were rounds or runs enough
  double adjusted_p = 1;                  // over all pairs
  double band = 0;                        // within which they count as the same, part of the time
  double noise = 0;                       // the machines' own between the two, part of the time
  stats::SpeedVerdict verdict = stats::SpeedVerdict::unclear;
  std::string note;                       // why it is unclear, where that is known: "one run"
  std::optional<Limit> a_limit, b_limit;  // the nearest of each, by its own machine's roofs
  std::optional<double> predicted;        // the ratio of their floors
};

// Pairs whose both rows are bound by the same kind of limit.
struct BoundGroup {
  size_t side = 1;
  std::string bound;  // "compute", "memory", "call", "no limit", "no roof"
  size_t pairs = 0;
  double geometric_mean = 1, least = 1, most = 1;  // of the ratios
};

struct Comparison {
  std::vector<std::string> labels;
  std::vector<Across> across;
  std::vector<Pair> pairs;
  std::vector<BoundGroup> means;
  std::vector<std::string> remarks;  // what else differs between the runs
};

// The noise between two runs is the half range of either's canaries, of the product for what
// compute binds and of the copy for the rest; and where nothing is meant to differ, what the canary
// moved by from one run to the other. Below it nothing is called faster or slower, and it widens
// the band (to SpeedRule::most_band at most). The two sides of one live comparison were measured in
// turn: their rounds are held against each other one by one, and there is no such noise.
Comparison compare(const Sides& sides, std::span<const Across> across,
                   const std::map<std::string, Roofline>& roofs_by_machine,
                   const stats::SpeedRule& rule = {});

// Roofs of each machine, by its key.
std::map<std::string, Roofline> rooflines(const std::vector<Given>& given);

}  // namespace ridge
