#include "machine/linux_cgroup.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "machine/files.h"

namespace ridge::machine {
namespace {

// Version 1 says "no limit" with the largest multiple of a page; so do we from here on.
constexpr int64_t kNoLimit = int64_t{1} << 60;

bool lists(std::string_view comma_separated, std::string_view item) {
  const auto parts = split(comma_separated, ',');
  return std::find(parts.begin(), parts.end(), item) != parts.end();
}

// The path of our group in the hierarchy of a controller, from /proc/self/cgroup.
std::optional<std::string> path_of(std::string_view cgroup, std::string_view controller) {
  for (const std::string_view line : split(cgroup, '\n')) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool ours = controller.empty() ? line.substr(0, first) == "0" && controllers.empty()
                                         : lists(controllers, controller);
    if (ours) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

struct Mount {
  std::string root, point;
};

// Where that hierarchy is mounted, from /proc/self/mountinfo (proc(5) gives the fields).
std::optional<Mount> mount_of(std::string_view mountinfo, std::string_view controller) {
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto parts = words(line);
    const auto dash = std::find(parts.begin(), parts.end(), "-");
    if (parts.size() < 6 || parts.end() - dash < 4) continue;
    const bool ours = controller.empty() ? dash[1] == "cgroup2"
                                         : dash[1] == "cgroup" && lists(dash[3], controller);
    if (ours) return Mount{std::string(parts[3]), std::string(parts[4])};
  }
  return std::nullopt;
}

// The folders from our group up to the mount point. A container often sees its own group as the
// mount's root; then the group's path begins with that root, or lies outside what is mounted.
std::vector<std::string> folders(const Mount& mount, std::string path) {
  if (mount.root != "/" && path.starts_with(mount.root)) path.erase(0, mount.root.size());
  if (path.find("..") != std::string::npos) path.clear();
  std::vector<std::string> out;
  while (path.size() > 1 && out.size() < 64) {
    out.push_back(mount.point + (path.starts_with('/') ? "" : "/") + path);
    const size_t slash = path.rfind('/');
    path.erase(slash == std::string::npos ? 0 : slash);
  }
  out.push_back(mount.point);
  return out;
}

std::vector<std::string> folders_of(const Sources& sources, std::string_view controller) {
  const auto cgroup = read_text(sources, "/proc/self/cgroup");
  const auto mountinfo = read_text(sources, "/proc/self/mountinfo", kLargeFile);
  if (!cgroup || !mountinfo) return {};
  const auto path = path_of(*cgroup, controller);
  const auto mount = mount_of(*mountinfo, controller);
  return path && mount ? folders(*mount, *path) : std::vector<std::string>();
}

std::string why_none(const Sources& sources, std::string_view what) {
  const auto cgroup = read_text(sources, "/proc/self/cgroup");
  if (!cgroup) return cgroup.error().message;
  return "no control group that we can see limits " + std::string(what);
}

void take_least(std::optional<int64_t>& least, const Result<int64_t>& value) {
  if (value && *value >= 0 && *value < kNoLimit) least = std::min(least.value_or(*value), *value);
}

}  // namespace

Known<int64_t> cgroup_memory_limit_bytes(const Sources& sources) {
  std::optional<int64_t> least;
  for (const std::string& folder : folders_of(sources, "")) {
    take_least(least, read_int(sources, folder + "/memory.max"));
  }
  for (const std::string& folder : folders_of(sources, "memory")) {
    take_least(least, read_int(sources, folder + "/memory.limit_in_bytes"));
    // This one knows of ancestors that lie outside what is mounted here.
    const auto stat = read_text(sources, folder + "/memory.stat");
    const auto all = stat ? field(*stat, "hierarchical_memory_limit", ' ') : std::nullopt;
    if (const auto number = all ? parse_number<int64_t>(*all) : std::nullopt) {
      take_least(least, *number);
    }
  }
  return known(least, why_none(sources, "memory"));
}

Known<double> cgroup_cpu_quota_cores(const Sources& sources) {
  std::optional<double> least;
  const auto take = [&least](std::optional<int64_t> quota, std::optional<int64_t> period) {
    if (!quota || !period || *quota <= 0 || *period <= 0) return;
    const double cores = static_cast<double>(*quota) / static_cast<double>(*period);
    least = std::min(least.value_or(cores), cores);
  };
  for (const std::string& folder : folders_of(sources, "")) {
    const auto line = read_line(sources, folder + "/cpu.max");  // "max 100000", "50000 100000"
    const auto parts = line ? words(*line) : std::vector<std::string_view>();
    if (parts.size() == 2) take(parse_number<int64_t>(parts[0]), parse_number<int64_t>(parts[1]));
  }
  for (const std::string& folder : folders_of(sources, "cpu")) {
    const auto quota = read_int(sources, folder + "/cpu.cfs_quota_us");  // -1: none
    const auto period = read_int(sources, folder + "/cpu.cfs_period_us");
    if (quota && period) take(*quota, *period);
  }
  return known(least, why_none(sources, "processor time"));
}

}  // namespace ridge::machine
