#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ridge::cli {

// Files as named; of a folder all run files in it and below, in the order of their names, which is
// that of their times. A folder without any is an error.
Result<std::vector<std::string>> run_files(const std::vector<std::string>& paths);

// A reader's warnings on stderr: the first few, then how many more.
void warn(const std::vector<std::string>& warnings);

}  // namespace ridge::cli
