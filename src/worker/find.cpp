#include "worker/find.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace ridge {
namespace {

constexpr std::string_view kPrefix = "ridge-worker-";

void add_from(const std::string& folder, std::vector<WorkerFile>& found) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with(kPrefix) || !entry.is_regular_file(error)) continue;
    if (::access(entry.path().c_str(), X_OK) != 0) continue;
    std::string name = file.substr(kPrefix.size());
    if (const size_t dot = name.find('.'); dot != std::string::npos) name.erase(dot);  // ….py
    if (name.empty()) continue;
    const bool known = std::any_of(found.begin(), found.end(),
                                   [&](const WorkerFile& other) { return other.name == name; });
    if (!known) found.push_back({name, std::filesystem::absolute(entry.path()).string()});
  }
}

}  // namespace

std::vector<WorkerFile> find_workers(std::string_view search_path, const std::string& own_folder) {
  std::vector<WorkerFile> found;
  while (!search_path.empty()) {
    const size_t colon = std::min(search_path.find(':'), search_path.size());
    if (colon > 0) add_from(std::string(search_path.substr(0, colon)), found);
    search_path.remove_prefix(std::min(colon + 1, search_path.size()));
  }
  add_from(own_folder, found);
  std::sort(found.begin(), found.end(),
            [](const WorkerFile& a, const WorkerFile& b) { return a.name < b.name; });
  return found;
}

}  // namespace ridge
