#pragma once

#include "machine/machine.h"

namespace ridge::machine {

// Sockets, cores, threads, caches and NUMA nodes, from hwloc; what it does not find comes from
// /proc/cpuinfo and sysconf, as far as they tell.
void read_topology(const Sources& sources, Cpu& cpu);

// Says so where the nodes' memory is not all of the machine's (seen where memory was hot-plugged).
void check_numa(const Known<int64_t>& total_bytes, Cpu& cpu);

}  // namespace ridge::machine
