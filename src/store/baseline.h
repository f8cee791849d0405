#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ridge {

// Where a baseline's run files lie: ROOT/baselines/NAME. An error where the name is none: letters,
// digits, '.', '_' and '-', not starting with '.'.
Result<std::string> baseline_folder(const std::string& root, const std::string& name);

// Copies run files there; a baseline of that name is replaced, whole or not at all.
Result<void> save_baseline(const std::string& root, const std::string& name,
                           const std::vector<std::string>& run_files);

}  // namespace ridge
