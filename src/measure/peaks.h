#pragma once

#include "machine/ceilings.h"
#include "measure/plan.h"

namespace ridge {

// Gives every row what its device cannot exceed, where the chip is known.
void add_ceilings(Plan& plan, const ChipDatabase& database, const Machine& machine);

// A rate above that, by the lower end of its interval, is none: `incorrect` and `above_peak`, with
// the reason. Products by the dtype executed; streams only where operands come from memory; models
// by the operations and the bytes that a token takes.
void hold_against_peak(const PlannedRow& planned, Row& row);

}  // namespace ridge
