#include "store/baseline.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace ridge {
namespace fs = std::filesystem;

Result<std::string> baseline_folder(const std::string& root, const std::string& name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (name.empty() || name.size() > 100 || name.front() == '.' ||
      name.find_first_not_of(kAllowed) != std::string::npos) {
    return Error{fmt::format(
        "a baseline's name has up to 100 letters, digits, '.', '_' and '-', found '{}'", name)};
  }
  return (fs::path(root) / "baselines" / name).string();
}

Result<void> save_baseline(const std::string& root, const std::string& name,
                           const std::vector<std::string>& run_files) {
  auto folder = baseline_folder(root, name);
  if (!folder) return folder.error();
  const fs::path target = *folder;
  const fs::path fresh = target.parent_path() / fmt::format(".{}-{}", name, ::getpid());
  const fs::path old = fresh.string() + "-old";
  try {
    fs::create_directories(fresh);
    for (const std::string& file : run_files)
      fs::copy_file(file, fresh / fs::path(file).filename());
    if (fs::exists(target)) fs::rename(target, old);
    fs::rename(fresh, target);
    fs::remove_all(old);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    if (!fs::exists(target, ignored)) fs::rename(old, target, ignored);
    fs::remove_all(fresh, ignored);
    return Error{fmt::format("cannot save baseline '{}': {}", name, error.what())};
  }
  return {};
}

}  // namespace ridge
