#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ridge {

// A worker's executable: ridge-worker-NAME.
struct WorkerFile {
  std::string name;
  std::string path;
};

// Looks in each folder of the colon-separated `search_path`, then in `own_folder` (libexec/ridge
// beside bin/). The first of a name wins; sorted by name.
std::vector<WorkerFile> find_workers(std::string_view search_path, const std::string& own_folder);

}  // namespace ridge
