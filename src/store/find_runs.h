#pragma once

#include <string>
#include <vector>

#include "store/run_file.h"

namespace ridge {

// Run files by a path: a file is itself; a folder stands for all run files below it (*.jsonl
// without the samples' sidecars), in the order of their names. An error where there is nothing.
Result<std::vector<std::string>> find_runs(const std::string& path);

// Reads them all; an error where one of them is no run.
Result<std::vector<Run>> read_runs(const std::string& path);

}  // namespace ridge
