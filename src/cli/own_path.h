#pragma once

#include <filesystem>

namespace ridge::cli {

// The file that this process runs, links followed; what `argv0` names where the system does not
// tell. Workers and data are found from here.
std::filesystem::path own_path(const char* argv0);

}  // namespace ridge::cli
