#include "machine/topology.h"

#include <fmt/format.h>
#include <hwloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "machine/files.h"
#include "machine/platform.h"

namespace ridge::machine {
namespace {

struct Destroy {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, Destroy>;

Result<Topology> load(const Sources& sources) {
  if (!sources.is_this_machine() && sources.hwloc_xml.empty()) {
    return Error{"hwloc was not asked: these are the files of another machine"};
  }
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return Error{"hwloc could not start"};
  Topology topology(raw);
  if (!sources.hwloc_xml.empty() && hwloc_topology_set_xml(raw, sources.hwloc_xml.c_str()) != 0) {
    return Error{"hwloc cannot read " + sources.hwloc_xml};
  }
  // All of the machine, not only what our cpuset allows: that one is told apart, as the affinity.
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  // Without /sys its Linux part finds nothing, and prints that; others may ask the processor
  // itself.
  if (sources.hwloc_xml.empty() && !exists(sources, "/sys/devices/system/cpu")) {
    hwloc_topology_set_components(raw, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "linux");
  }
  hwloc_topology_set_icache_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_ALL);
  if (hwloc_topology_load(raw) != 0) return Error{"hwloc could not load the topology"};
  if (sources.hwloc_xml.empty() && hwloc_topology_is_thissystem(raw) == 0) {
    return Error{"hwloc was told by its environment variables to describe another machine"};
  }
  return topology;
}

Known<int64_t> count(hwloc_topology_t topology, hwloc_obj_type_t type, const char* what) {
  const int found = hwloc_get_nbobjs_by_type(topology, type);
  if (found > 0) return static_cast<int64_t>(found);
  return Known<int64_t>::unknown(fmt::format("hwloc finds no {}", what));
}

std::string_view name(hwloc_obj_cache_type_t type) {
  switch (type) {
    case HWLOC_OBJ_CACHE_DATA: return "data";
    case HWLOC_OBJ_CACHE_INSTRUCTION: return "instruction";
    case HWLOC_OBJ_CACHE_UNIFIED: return "unified";
  }
  return "unified";
}

void read_caches(hwloc_topology_t topology, Cpu& cpu) {
  for (int type = HWLOC_OBJ_L1CACHE; type <= HWLOC_OBJ_L3ICACHE; ++type) {
    const auto kind = static_cast<hwloc_obj_type_t>(type);
    hwloc_obj_t object = nullptr;
    while ((object = hwloc_get_next_obj_by_type(topology, kind, object)) != nullptr) {
      const auto& told = object->attr->cache;
      if (told.size == 0) continue;
      Cache cache;
      cache.level = static_cast<int>(told.depth);
      cache.type = name(told.type);
      cache.bytes = static_cast<int64_t>(told.size);
      cache.shared_by_threads = static_cast<int64_t>(hwloc_bitmap_weight(object->cpuset));
      cache.count = int64_t{0};
      cache.line_bytes = told.linesize > 0 ? Known<int64_t>(static_cast<int64_t>(told.linesize))
                                           : Known<int64_t>::unknown("hwloc does not tell");
      const auto alike = [&cache](const Cache& other) {
        return std::tie(other.level, other.type, other.bytes, other.shared_by_threads.value) ==
               std::tie(cache.level, cache.type, cache.bytes, cache.shared_by_threads.value);
      };
      auto place = std::find_if(cpu.caches.begin(), cpu.caches.end(), alike);
      if (place == cpu.caches.end()) place = cpu.caches.insert(place, cache);
      ++*place->count.value;
    }
  }
  std::stable_sort(cpu.caches.begin(), cpu.caches.end(), [](const Cache& a, const Cache& b) {
    return std::tie(a.level, a.type) < std::tie(b.level, b.type);
  });
}

std::string list(hwloc_const_bitmap_t set) {
  char* raw = nullptr;
  if (hwloc_bitmap_list_asprintf(&raw, set) < 0) return {};
  std::string out(raw);
  std::free(raw);
  return out;
}

void read_numa(hwloc_topology_t topology, Cpu& cpu) {
  hwloc_obj_t node = nullptr;
  while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr) {
    const auto bytes = static_cast<int64_t>(node->attr->numanode.local_memory);
    cpu.numa.push_back({static_cast<int>(node->os_index),
                        bytes > 0 ? Known<int64_t>(bytes)
                                  : Known<int64_t>::unknown("hwloc tells of no memory in it"),
                        list(node->cpuset)});
  }
}

// Sockets, cores and threads as /proc/cpuinfo has them; Arm's names neither sockets nor cores.
void count_in_cpuinfo(const Sources& sources, Cpu& cpu) {
  const auto cpuinfo = read_text(sources, "/proc/cpuinfo", kLargeFile);
  if (!cpuinfo) return;
  int64_t threads = 0;
  std::set<std::string> sockets;
  std::set<std::pair<std::string, std::string>> cores;
  std::string socket;
  for (const std::string_view line : split(*cpuinfo, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = trim(line.substr(0, colon));
    const std::string value(trim(line.substr(colon + 1)));
    if (key == "processor" && parse_number<int64_t>(value)) ++threads;
    if (key == "physical id") sockets.insert(socket = value);
    if (key == "core id") cores.emplace(socket, value);
  }
  const auto fill = [](Known<int64_t>& target, size_t found, const char* what) {
    if (target) return;
    target = found > 0 ? Known<int64_t>(static_cast<int64_t>(found))
                       : Known<int64_t>::unknown(fmt::format(
                             "neither hwloc nor /proc/cpuinfo tells the number of {}", what));
  };
  fill(cpu.threads, static_cast<size_t>(threads), "threads");
  fill(cpu.sockets, sockets.size(), "sockets");
  fill(cpu.cores, cores.size(), "cores");
}

}  // namespace

void read_topology(const Sources& sources, Cpu& cpu) {
  const auto topology = load(sources);
  if (topology) {
    cpu.sockets = count(topology->get(), HWLOC_OBJ_PACKAGE, "sockets");
    cpu.cores = count(topology->get(), HWLOC_OBJ_CORE, "cores");
    cpu.threads = count(topology->get(), HWLOC_OBJ_PU, "threads");
    read_caches(topology->get(), cpu);
    read_numa(topology->get(), cpu);
    cpu.caches_reason =
        "hwloc finds no caches: no /sys, as in a chroot, or a firmware that does "
        "not describe them";
    cpu.numa_reason = "hwloc finds no NUMA nodes";
  } else {
    const std::string& why = topology.error().message;
    cpu.sockets = cpu.cores = cpu.threads = Known<int64_t>::unknown(why);
    cpu.caches_reason = cpu.numa_reason = why;
  }
  count_in_cpuinfo(sources, cpu);
  if (!cpu.threads && sources.is_this_machine()) {
    const int64_t online = ::sysconf(_SC_NPROCESSORS_ONLN);
    if (online > 0) cpu.threads = online;
  }
  if (cpu.caches.empty() && sources.is_this_machine()) {
    cpu.caches = caches_of_system();
    if (!cpu.caches.empty()) cpu.caches_reason += "; the sizes are the C library's (sysconf)";
  } else if (!cpu.caches.empty()) {
    cpu.caches_reason.clear();
  }
  if (!cpu.numa.empty()) cpu.numa_reason.clear();
}

void check_numa(const Known<int64_t>& total_bytes, Cpu& cpu) {
  if (!total_bytes || cpu.numa.empty()) return;
  int64_t sum = 0;
  for (const NumaNode& node : cpu.numa) sum += node.memory_bytes.value.value_or(0);
  if (sum == 0 || static_cast<double>(sum) > 0.9 * static_cast<double>(*total_bytes)) return;
  cpu.numa_reason = fmt::format("the kernel places {} of its {} bytes in the nodes, not the rest",
                                sum, *total_bytes);
}

}  // namespace ridge::machine
