#pragma once

#include <string>
#include <utility>
#include <vector>

#include "measure/plan.h"
#include "measure/schedule.h"

namespace ridge {

// One side of a live comparison, before its workers have answered.
struct LiveSide {
  PlanQuery query;            // items with this side's settings; item i is the other's item i
  bool names_worker = false;  // both do, or neither does
  bool names_device = false;
};

// Both sides as one plan for Runner::compare. Each side has workers of its own, even of one file;
// one that a side lacks has no path.
struct LivePlan {
  Plan plan;
  std::vector<RowPair> pairs;  // all of one work; those that cannot be measured as well
};

// Pairs the sides' rows by item, by worker unless the sides name theirs, and by device unless they
// name theirs. What has no partner becomes a pair whose other row is skipped, with the reason; so
// does work that sets its own length. A row is in one pair only: where settings make two items the
// same, pairs whose keys differ come first. `wanted` of the first side's query sees both keys.
LivePlan make_live_plan(const LiveSide& a, const LiveSide& b, const Effort& effort);

}  // namespace ridge
