#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "machine/known.h"

namespace ridge {

// Where discovery looks. Tests point it at a fixture tree; the caller hands the environment over.
struct Sources {
  std::string root = "/";                // the folder that holds proc/, sys/ and etc/
  std::vector<std::string> environment;  // "NAME=value"
  // An hwloc XML file. Empty: the machine we run on where root is "/", no hwloc otherwise.
  std::string hwloc_xml;
  // Empty: NVIDIA devices are not looked for. A bare name is opened where root is "/" only.
  std::string nvml_library = "libnvidia-ml.so.1";
  int process_window_ms = 100;  // how long others' processor time is watched; 0: not at all

  // True where this very machine may be asked as well (cpuid, sysconf, instructions run).
  bool is_this_machine() const { return root == "/"; }
};

struct Cache {
  int level = 0;
  std::string type;      // "data", "instruction" or "unified"
  int64_t bytes = 0;     // of one instance
  Known<int64_t> count;  // instances alike in all of this
  Known<int64_t> shared_by_threads, line_bytes;
  bool operator==(const Cache&) const = default;
};

struct NumaNode {
  int index = 0;
  Known<int64_t> memory_bytes;
  std::string cpus;  // "0-15,32-47"
  bool operator==(const NumaNode&) const = default;
};

// An instruction set: what is promised (cpuid, hwcap) and what one instruction of it did when a
// child process ran it.
struct Extension {
  std::string name;
  Known<bool> announced;
  Known<bool> works;
};

struct Clocks {  // of the processors; Hz
  Known<double> minimum_hz, maximum_hz, base_hz, current_mean_hz, counter_hz;
  Known<std::string> governor;  // "performance"; several are joined by a comma
  Known<bool> counter_invariant;
};

struct Cpu {
  std::string architecture;  // "x86_64", "aarch64"
  Known<std::string> model, vendor, microcode;
  Known<int64_t> family, model_number, stepping;  // x86
  Known<std::string> revision;                    // Arm: "r3p1"
  Known<int64_t> sockets, cores, threads;
  std::vector<Cache> caches;
  std::string caches_reason;  // why `caches` is empty, or comes from less than hwloc
  std::vector<NumaNode> numa;
  std::string numa_reason;
  std::vector<Extension> extensions;
  std::string extensions_reason;
  Clocks clocks;
};

struct MemoryDevice {  // a DIMM, or a soldered part
  std::string locator, bank;
  Known<std::string> type;  // "DDR5"
  Known<std::string> manufacturer, part_number;
  Known<int64_t> bytes;
  Known<int64_t> data_width_bits, total_width_bits, ranks;
  Known<double> rated_transfers_per_s, configured_transfers_per_s;
};

struct Memory {
  Known<int64_t> total_bytes, available_bytes, swap_total_bytes, swap_free_bytes;
  Known<int64_t> cgroup_limit_bytes;  // the smallest along the path of control groups
  Known<int64_t> page_bytes;
  Known<std::string> transparent_huge_pages, huge_page_defrag;  // the mode in force
  struct HugePages {
    int64_t page_bytes = 0, total = 0, free = 0;
  };
  std::vector<HugePages> huge_pages;
  std::string huge_pages_reason;
  std::vector<MemoryDevice> devices;  // populated ones
  std::string devices_reason;
  Known<int64_t> slots;
  Known<double> theoretical_bandwidth_bytes_per_s;
};

struct HeavyProcess {
  int64_t pid = 0;
  std::string name;
  double share = 0;  // of one core
};

struct System {
  Known<std::string> kernel, kernel_version, os_name, os_version, c_library;
  Known<bool> virtual_machine;
  Known<std::string> hypervisor, product, container;
  Known<std::string> power_source;  // "ac" or "battery"
  Known<double> load1, load5, load15;
  Known<double> uptime_s, steal_s;
  Known<double> cpu_quota_cores;  // of our control groups
  Known<std::string> affinity;    // "0-3": the processors we may run on
  std::vector<HeavyProcess> heavy_processes;
  std::string heavy_processes_reason;  // why they are not known; empty: they were looked for
};

struct Build {
  std::string compiler, build_type, fmt_version, json_version, hwloc_version;
  Known<std::string> git;  // the caller's to fill in
  Known<bool> dirty;
};

struct NvidiaDevice {
  int index = 0;
  Known<std::string> name, uuid;
  Known<int64_t> memory_total_bytes, memory_free_bytes, memory_bus_bits;
  Known<std::string> compute_capability;
  Known<int64_t> cores, multiprocessors;
  Known<double> power_limit_w, power_w, temperature_celsius;
  Known<double> sm_clock_hz, sm_clock_maximum_hz, memory_clock_hz, memory_clock_maximum_hz;
  Known<bool> ecc, mig, persistence;
  Known<int64_t> pcie_generation, pcie_generation_maximum, pcie_width, pcie_width_maximum;
  std::vector<std::string> throttle_reasons;
  std::string throttle_reason;  // why they are not known
  Known<int64_t> compute_processes;
};

struct Nvidia {
  Known<std::string> driver_version, cuda_version;
  std::vector<NvidiaDevice> devices;
  std::string reason;  // why there are none
};

struct AppleGpu {
  Known<std::string> name;  // "Apple M3 Max"
  Known<int64_t> cores;
};

struct EnvironmentVariable {
  std::string name, value;
  bool empty = false;   // an empty one counts as unset
  bool masked = false;  // its name says that it is a secret
};

struct Machine {
  Cpu cpu;
  Memory memory;
  System system;
  Nvidia nvidia;
  AppleGpu apple_gpu;
  Build build;
  std::vector<EnvironmentVariable> environment;
};

// Everything that can be found out, in about a tenth of a second. Nothing of it can fail: what is
// not there or not readable is unknown, with its reason.
Machine discover(const Sources& sources);

// Keys carry their unit. An unknown `x_bytes` is null, and `x_reason` beside it says why.
Json to_json(const Machine& machine);

// A folder name for this machine's results, such as "amd-epyc-9b14-2c-23g-1f0a3c". Made of what the
// machine is (processor, sockets, cores, whole GiB of memory, GPU names), never of its state.
std::string machine_key(const Machine& machine);

// The deepest cache level: bytes of its largest instance, and of all its instances together.
Known<int64_t> last_level_cache_bytes(const Machine& machine);
Known<int64_t> last_level_cache_total_bytes(const Machine& machine);

// The least of what is installed and what our control groups allow.
Known<int64_t> usable_memory_bytes(const Machine& machine);

// The state of the machine at a moment, for telemetry. Takes well under a millisecond: at most 8
// processors are asked for their clock.
struct Snapshot {
  Known<double> load1;
  Known<int64_t> steal_ticks;       // of all processors, since boot; 100 a second
  Known<int64_t> context_switches;  // of the whole machine, since boot
  Known<double> clock_mean_hz;
  Known<double> temperature_celsius;  // the hottest sensor of the processor
  Known<int64_t> memory_available_bytes;
};
Snapshot snapshot(const Sources& sources);
Json to_json(const Snapshot& snapshot);

}  // namespace ridge
