#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/sides.h"
#include "stats/compare.h"

namespace ridge {

// For one job, the fastest way that was measured to do it, over machines, workers and dtypes.
struct Recommendation {
  std::string job;  // "gemm/*/1x14336x4096 cold/pipelined"
  Member best;
  Member next;                            // the fastest that differs in one of those three
  double margin = 1;                      // next's time / best's
  std::optional<stats::Speedup> speedup;  // of best against next, where there were rounds enough
  stats::SpeedVerdict verdict = stats::SpeedVerdict::unclear;
};

// Jobs that more than one machine, worker or dtype did; in the order of their first rows. The
// verdicts are Holm-corrected over them. Formats of lower precision answer less exactly: whether
// that will do, the job must say.
std::vector<Recommendation> recommend(const std::vector<Given>& given);

// "int8 on cpu:0 of amd-epyc-2c, packed"; without the machine: "int8 on cpu:0, packed"
std::string describe(const Member& member, bool with_machine = true);

// How many rows of each sort each worker did, and why not.
struct SupportCell {
  size_t ok = 0, unsupported = 0, failed = 0, incorrect = 0;
  std::string reason;  // the first, unless all are ok
};
struct SupportMatrix {
  std::vector<std::string> columns;                            // "cpu:0 of amd-epyc-2c"
  std::vector<std::string> rows;                               // "gemm bf16"
  std::vector<std::vector<std::optional<SupportCell>>> cells;  // [row][column]; none: not asked
};
SupportMatrix support(const std::vector<Given>& given);

}  // namespace ridge
