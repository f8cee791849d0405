#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "machine/machine.h"

namespace ridge {

// Processor time of all processors together since boot, in ticks of 10 ms on most systems.
struct CpuTime {
  double busy_s = 0;                     // spent by processes and the kernel
  double steal_s = 0;                    // taken by the hypervisor for other guests
  double total_s = 0;                    // of both, and idle
  int64_t swapped_pages = 0;             // to and from swap
  std::vector<double> processor_busy_s;  // busy_s of each, by its number
};

// nullopt where the system does not tell.
std::optional<CpuTime> cpu_time(const Sources& sources);

// What one process (with all its threads) has used. nullopt: unknown, or no such process.
std::optional<double> process_cpu_s(const Sources& sources, int64_t pid);
// How long a process's threads that still live have been ready to run while no processor was free
// for them: exact, of all threads together.
struct Waited {
  double seconds = 0;
  int64_t times = 0;  // that a thread was put on a processor
};
// nullopt: unknown, or no such process.
std::optional<Waited> process_waited(const Sources& sources, int64_t pid);

}  // namespace ridge
