#include "cli/run_files.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "store/find_runs.h"

namespace ridge::cli {
namespace {

constexpr size_t kFewWarnings = 5;

}  // namespace

Result<std::vector<std::string>> run_files(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    auto found = find_runs(path);
    if (!found) return found.error();
    out.insert(out.end(), found->begin(), found->end());
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
