#include "cli/run_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "cli/commands.h"

namespace ridge::cli {
namespace {

constexpr size_t kFewWarnings = 5;

bool is_run_file(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".jsonl") && !name.ends_with(".samples.jsonl");
}

}  // namespace

Result<std::vector<std::string>> run_files(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      out.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    const fs::recursive_directory_iterator end;
    for (fs::recursive_directory_iterator at(path, error); !error && at != end;
         at.increment(error)) {
      std::error_code gone;
      if (at->is_regular_file(gone) && is_run_file(at->path()))
        found.push_back(at->path().string());
    }
    if (error) return Error{fmt::format("{}: cannot read the folder: {}", path, error.message())};
    if (found.empty()) return Error{path + ": no run file (.jsonl) in this folder"};
    std::sort(found.begin(), found.end());
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

void warn(const std::vector<std::string>& warnings) {
  const size_t shown = warnings.size() <= kFewWarnings + 1 ? warnings.size() : kFewWarnings;
  for (size_t i = 0; i < shown; ++i) complain(warnings[i], kOk);
  if (shown < warnings.size()) {
    complain(fmt::format("… and {} more warnings of this file", warnings.size() - shown), kOk);
  }
}

}  // namespace ridge::cli
