#include "store/find_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace ridge {
namespace fs = std::filesystem;

Result<std::vector<std::string>> find_runs(const std::string& path) {
  std::error_code problem;
  if (!fs::is_directory(path, problem)) {
    if (!fs::exists(path, problem)) return Error{fmt::format("{}: No such file or folder", path)};
    return std::vector{path};
  }
  std::vector<std::string> files;
  fs::recursive_directory_iterator at(path, problem);
  for (; !problem && at != fs::recursive_directory_iterator(); at.increment(problem)) {
    const std::string file = at->path().string();
    std::error_code unreadable;
    if (file.ends_with(".jsonl") && !file.ends_with(".samples.jsonl") &&
        at->is_regular_file(unreadable)) {
      files.push_back(file);
    }
  }
  if (problem) return Error{fmt::format("{}: cannot be read: {}", path, problem.message())};
  if (files.empty()) return Error{fmt::format("{}: no run file (*.jsonl) in this folder", path)};
  std::sort(files.begin(), files.end());
  return files;
}

Result<std::vector<Run>> read_runs(const std::string& path) {
  auto files = find_runs(path);
  if (!files) return files.error();
  std::vector<Run> runs;
  for (const std::string& file : *files) {
    auto run = read_run(file);
    if (!run) return run.error();
    runs.push_back(*std::move(run));
  }
  return runs;
}

}  // namespace ridge
