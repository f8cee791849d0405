#include "topology.h"

#include <hwloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace ridge::cpu {
namespace {

// hwloc's tree, cut down to what this process may use.
class Tree {
 public:
  Tree() {
    if (hwloc_topology_init(&topology_) != 0) return;
    if (hwloc_topology_load(topology_) != 0) return;
    loaded_ = true;
    mask_ = hwloc_bitmap_alloc();
    if (hwloc_get_cpubind(topology_, mask_, HWLOC_CPUBIND_THREAD) != 0) {
      hwloc_bitmap_copy(mask_, hwloc_topology_get_allowed_cpuset(topology_));
    }
  }
  ~Tree() {
    if (mask_) hwloc_bitmap_free(mask_);
    if (topology_) hwloc_topology_destroy(topology_);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // The first allowed processor of each core.
  std::vector<int> cores() const {
    std::vector<int> found;
    if (!loaded_) return found;
    hwloc_obj_t core = nullptr;
    while ((core = hwloc_get_next_obj_by_type(topology_, HWLOC_OBJ_CORE, core))) {
      hwloc_bitmap_t usable = hwloc_bitmap_alloc();
      hwloc_bitmap_and(usable, core->cpuset, mask_);
      if (const int first = hwloc_bitmap_first(usable); first >= 0) found.push_back(first);
      hwloc_bitmap_free(usable);
    }
    return found;
  }

  int64_t cache_bytes() const {
    if (!loaded_) return 0;
    int64_t total = 0;
    std::set<hwloc_obj_t> seen;
    for (const int core : cores()) {
      hwloc_obj_t object = hwloc_get_pu_obj_by_os_index(topology_, static_cast<unsigned>(core));
      hwloc_obj_t last = nullptr;
      for (; object; object = object->parent) {
        if (hwloc_obj_type_is_dcache(object->type)) last = object;
      }
      if (last && seen.insert(last).second) total += static_cast<int64_t>(last->attr->cache.size);
    }
    return total;
  }

  std::string cpu_name() const {
    if (!loaded_) return {};
    hwloc_obj_t package = hwloc_get_obj_by_type(topology_, HWLOC_OBJ_PACKAGE, 0);
    const char* name = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : nullptr;
    return name ? name : "";
  }

 private:
  hwloc_topology_t topology_ = nullptr;
  hwloc_bitmap_t mask_ = nullptr;
  bool loaded_ = false;
};

// Records of "key : value" lines, one a processor.
std::vector<std::map<std::string, std::string>> read_cpuinfo() {
  std::vector<std::map<std::string, std::string>> records;
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  bool fresh = true;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) {
      fresh = true;
      continue;
    }
    if (std::exchange(fresh, false)) records.emplace_back();
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    records.back()[key] = value == std::string::npos ? "" : line.substr(value);
  }
  return records;
}

int64_t number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string cpuinfo_name() {
  for (const auto& record : read_cpuinfo()) {
    for (const char* key : {"model name", "Model", "Hardware", "cpu model"}) {
      if (const auto at = record.find(key); at != record.end()) return at->second;
    }
  }
  return {};
}

std::vector<int> cores_without_hwloc() {
  std::vector<int> found;
#ifdef __linux__
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return found;
  std::map<int, std::pair<std::string, std::string>> core_of;
  for (const auto& record : read_cpuinfo()) {
    const auto id = record.find("processor"), core = record.find("core id"),
               package = record.find("physical id");
    if (id == record.end() || core == record.end() || package == record.end()) continue;
    core_of[static_cast<int>(number(id->second))] = {package->second, core->second};
  }
  std::set<std::pair<std::string, std::string>> seen;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    const auto at = core_of.find(cpu);
    if (at == core_of.end() || seen.insert(at->second).second) found.push_back(cpu);
  }
#endif
  return found;
}

// Not hwloc's: it adds up the nodes as they were at boot, without memory plugged in since.
int64_t physical_memory() {
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<int64_t>(sysconf(_SC_PAGESIZE));
}

int64_t cache_without_hwloc() {
  int64_t largest = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  for (const int level : {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE}) {
    largest = std::max<int64_t>(largest, sysconf(level));
  }
#endif
  // Of processor 0 alone ("cache size : 1024 KB"): a lower bound, better than nothing.
  for (const auto& record : read_cpuinfo()) {
    if (const auto at = record.find("cache size"); at != record.end()) {
      largest = std::max(largest, number(at->second) * 1024);
    }
  }
  return largest;
}

}  // namespace

Topology read_topology() {
  const Tree tree;
  Topology topology{.cpu_name = tree.cpu_name(),
                    .memory_bytes = physical_memory(),
                    .cache_bytes = tree.cache_bytes(),
                    .cores = tree.cores()};
  if (topology.cpu_name.empty()) topology.cpu_name = cpuinfo_name();
  if (topology.cpu_name.empty()) topology.cpu_name = "unknown processor";
  while (!topology.cpu_name.empty() && topology.cpu_name.back() == ' ') {
    topology.cpu_name.pop_back();
  }
  if (topology.cache_bytes <= 0) topology.cache_bytes = cache_without_hwloc();
  if (topology.cores.empty()) topology.cores = cores_without_hwloc();
  if (topology.cores.empty()) topology.cores = {0};
  return topology;
}

}  // namespace ridge::cpu
