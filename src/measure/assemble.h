#pragma once

#include <optional>
#include <vector>

#include "measure/plan.h"
#include "measure/round.h"
#include "store/row.h"

namespace ridge {

// What is kept of a good round.
struct KeptRound {
  RoundOutcome outcome;
  double at_s = 0;  // when in the run its first sample was taken
};

// A row from its rounds: the estimate, the interval between rounds, the flags. `failure` is the
// round that ended it, if one did; `machine_flags` hold for every measured row (on_battery).
Row assemble(const PlannedRow& planned, const std::string& worker, const Effort& effort,
             const std::vector<KeptRound>& rounds, const std::optional<RoundOutcome>& failure,
             const std::vector<Flag>& machine_flags = {});

}  // namespace ridge
