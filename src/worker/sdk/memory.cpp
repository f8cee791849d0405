#include "worker/sdk/memory.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace ridge::sdk {
namespace {

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const size_t digit = text.find_first_of("0123456789");
  if (digit == std::string_view::npos) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + digit, text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// The number behind `key` in a file of "key value" lines; of the first line without a key.
std::optional<int64_t> read_number(const std::string& path, std::string_view key = "") {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(key)) return number(std::string_view(line).substr(key.size()));
  }
  return std::nullopt;
}

// What is left under one group's limit; nullopt where it has none.
std::optional<int64_t> left_in(const std::string& folder, bool version_2) {
  const auto most = read_number(folder + (version_2 ? "/memory.max" : "/memory.limit_in_bytes"));
  const auto used =
      read_number(folder + (version_2 ? "/memory.current" : "/memory.usage_in_bytes"));
  if (!most || !used || *most >= (int64_t{1} << 60)) return std::nullopt;  // version 1's "none"
  const char* droppable = version_2 ? "inactive_file " : "total_inactive_file ";
  const int64_t files = read_number(folder + "/memory.stat", droppable).value_or(0);
  return std::max<int64_t>(0, *most - *used + files);
}

}  // namespace

int64_t available_memory(const std::string& root) {
  const auto kib = read_number(root + "/proc/meminfo", "MemAvailable:");
  int64_t available = kib ? *kib * 1024
                          : static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) *
                                static_cast<int64_t>(sysconf(_SC_PAGESIZE)) / 2;
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool version_2 = controllers.empty();
    if (!version_2 && controllers.find("memory") == std::string::npos) continue;
    const std::string mount = root + "/sys/fs/cgroup" + (version_2 ? "" : "/memory");
    // From our group upwards; a container sees its own group at the mount, and the path in vain.
    std::string path = line.substr(second + 1);
    while (true) {
      if (const auto left = left_in(mount + path, version_2))
        available = std::min(available, *left);
      if (path.empty()) break;
      path.resize(std::min(path.size() - 1, path.rfind('/')));
    }
  }
  return root.empty() ? std::min(available, mappable_memory()) : available;
}

int64_t mappable_memory() {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  rlim_t least = kMost;
  for (const int what : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit limit{};
    if (getrlimit(what, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
      least = std::min(least, limit.rlim_cur / 2);
    }
  }
  return static_cast<int64_t>(least);
}

bool fits(int64_t bytes, int64_t available) { return bytes <= available / 10 * 9; }

std::string too_large(int64_t bytes, int64_t available) {
  return fmt::format("needs {}, and {} are available", show_bytes(bytes), show_bytes(available));
}

}  // namespace ridge::sdk
