#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <vector>

#include "host.h"

namespace ridge::mlx_worker {
namespace {

std::vector<int> allowed_processors() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::vector<int> found;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &mask)) found.push_back(cpu);
    }
  }
  if (found.empty()) found.push_back(0);
  return found;
}

// "key : value" lines of each processor.
std::map<int, std::map<std::string, std::string>> read_cpuinfo() {
  std::map<int, std::map<std::string, std::string>> records;
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  int processor = -1;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    const std::string value = begin == std::string::npos ? "" : line.substr(begin);
    if (key == "processor") std::from_chars(value.data(), value.data() + value.size(), processor);
    records[processor][key] = value;
  }
  return records;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Each last-level cache once: those that share one name the same processors.
int64_t cache_of(const std::vector<int>& processors) {
  std::map<std::string, int64_t> caches;
  for (const int cpu : processors) {
    int64_t level = 0, bytes = 0;
    std::string shared;
    for (int index = 0; index < 8; ++index) {
      const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                 "/cache/index" + std::to_string(index);
      const std::string here = first_line(folder + "/level"), size = first_line(folder + "/size");
      if (here.empty() || size.empty() || first_line(folder + "/type") == "Instruction") continue;
      if (std::stoll(here) <= level) continue;
      level = std::stoll(here);
      bytes = std::stoll(size) * (size.back() == 'M' ? int64_t{1} << 20 : 1024);
      shared = first_line(folder + "/shared_cpu_list");
    }
    if (bytes > 0) caches[shared] = bytes;
  }
  int64_t total = 0;
  for (const auto& [shared, bytes] : caches) total += bytes;
  return total > 0 ? total : std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
}

}  // namespace

Host read_host() {
  const std::vector<int> processors = allowed_processors();
  auto cpuinfo = read_cpuinfo();
  std::set<std::pair<std::string, std::string>> cores;
  for (const int cpu : processors) {
    auto& record = cpuinfo[cpu];
    // Without a core of its own to name (ARM) every processor is one.
    const std::string core = record.contains("core id") ? record["core id"] : std::to_string(cpu);
    cores.emplace(record["physical id"], core);
  }
  auto& any = cpuinfo[processors.front()];
  std::string name = any.contains("model name") ? any["model name"] : "unknown processor";
  while (!name.empty() && name.back() == ' ') name.pop_back();
  return {.cpu_name = name,
          .memory_bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE),
          .cache_bytes = cache_of(processors),
          .cores = static_cast<int>(cores.size())};
}

}  // namespace ridge::mlx_worker
