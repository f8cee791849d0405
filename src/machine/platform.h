#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "machine/machine.h"

namespace ridge::machine {

// What each operating system fills in, one file a platform: linux.cpp, darwin.cpp, other.cpp.
void read_cpu(const Sources& sources, Cpu& cpu);  // identity and clocks; topology comes from hwloc
void read_memory(const Sources& sources, Memory& memory);
void read_system(const Sources& sources, System& system);
AppleGpu read_apple_gpu(const Sources& sources);

// Caches as the C library or a system call tells them, where hwloc finds none: without their count.
std::vector<Cache> caches_of_system();

// Processor time that each process has used, to be taken twice. Ours is left out.
struct ProcessTime {
  int64_t pid = 0;
  int64_t started = 0;  // a pid can be given anew: it is the same process if this is equal, too
  std::string name;
  double seconds = 0;
};
struct ProcessTimes {
  std::vector<ProcessTime> processes;
  std::string reason;  // why they are not known
};
ProcessTimes read_process_times(const Sources& sources);

// Those that used more than `least` of a core in the `seconds` between, the heaviest first, at most
// 20. A process born in between counts from zero.
std::vector<HeavyProcess> heavy_processes(const ProcessTimes& before, const ProcessTimes& after,
                                          double seconds, double least = 0.2);

// Linux: the hottest sensor of the processor; and "ac" or "battery".
Known<double> processor_temperature(const Sources& sources);
Known<std::string> read_power_source(const Sources& sources);

// Facts that the processor itself tells, not its operating system (isa_x86.cpp, …).
void read_identity_of_cpu(Cpu& cpu);  // fills in what is still unknown of model, vendor, family, …
Known<std::string> hypervisor_of_cpu();
Known<double> counter_hz_of_cpu();  // the time stamp counter, as announced
Known<double> base_hz_of_cpu();

}  // namespace ridge::machine
