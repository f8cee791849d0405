#pragma once

#include <vector>

#include "measure/assemble.h"

namespace ridge {

// The results of a row that are no time: of `sustained` from its samples, else the median of
// what workers told with each round.
std::vector<Value> values_of(const Workload& work, const Cost& cost,
                             const std::vector<KeptRound>& rounds);

}  // namespace ridge
