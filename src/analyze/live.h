#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/compare.h"
#include "store/run_file.h"

// What a live comparison says: two sides of one machine, measured in turn A B B A.
namespace ridge {

// One row of side A beside the same work on side B.
struct LiveRow {
  std::string key_a, key_b;          // row_keys; they differ where worker, device or settings do
  std::optional<double> a_ns, b_ns;  // geometric means over the whole rounds
  Rate rate_a, rate_b;               // of those; without an interval
  int64_t rounds = 0;                // whole ones
  std::optional<stats::Speedup> speedup;  // of B against A
  double adjusted_p = 1, band = 0;        // these three only with a speedup
  stats::SpeedVerdict verdict = stats::SpeedVerdict::unclear;
  Status status = Status::ok;  // the worse of both sides'
  std::string reason;          // why there is no speedup
};

// a[i] and b[i] are the two rows of a pair; each round left two entries in round_medians_ns. The
// p-values are adjusted for all pairs together.
std::vector<LiveRow> judge_live(std::span<const Row> a, std::span<const Row> b,
                                const stats::SpeedRule& rule = {});

// The same of two stored sides: header.row_keys name the pairs, in one order in both. An error for
// runs that are not side A and side B of one comparison.
Result<std::vector<LiveRow>> judge_live(const Run& a, const Run& b,
                                        const stats::SpeedRule& rule = {});

// B against A over the whole rounds of two rows of a pair; nullopt where there are fewer than
// three.
std::optional<stats::Speedup> live_speedup(const Row& a, const Row& b);

// Both are sides of one live comparison, in either order: their rounds were measured in turn.
bool in_turn(const Header& a, const Header& b);

// The side that a run was, "A" or "B"; empty: it was no part of a live comparison.
std::string live_side(const Header& header);

}  // namespace ridge
