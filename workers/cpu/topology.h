#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ridge::cpu {

// What this process may use of the machine.
struct Topology {
  std::string cpu_name;      // as the processor calls itself
  int64_t memory_bytes = 0;  // physical
  int64_t cache_bytes = 0;   // of all last-level caches that our cores reach; 0: unknown
  // The processor (as the operating system numbers it) that a thread is pinned to, one a physical
  // core of the affinity mask.
  std::vector<int> cores;
};

// Reads hwloc; where that sees nothing (a chroot without /sys), the operating system's own files.
Topology read_topology();

}  // namespace ridge::cpu
