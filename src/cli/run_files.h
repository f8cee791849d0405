#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ridge::cli {

// What store/find_runs.h finds by each of them, one behind the other.
Result<std::vector<std::string>> run_files(const std::vector<std::string>& paths);

// A reader's warnings on stderr: the first few, then how many more.
void warn(const std::vector<std::string>& warnings);

}  // namespace ridge::cli
