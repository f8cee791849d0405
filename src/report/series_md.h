#pragma once

#include <string>

#include "store/run_file.h"

namespace ridge {

// What rows tell together, for people: the cost of a call, and the caches beside those that the
// system reports. Empty where a run holds nothing of the kind.
std::string series_text(const Run& run);

}  // namespace ridge
