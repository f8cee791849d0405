#pragma once

#include "machine/machine.h"

namespace ridge::machine {

// Sockets, cores, threads, caches and NUMA nodes, from hwloc; what it does not find comes from
// /proc/cpuinfo and sysconf, as far as they tell.
void read_topology(const Sources& sources, Cpu& cpu);

}  // namespace ridge::machine
