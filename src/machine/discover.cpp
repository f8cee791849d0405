#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "machine/build_info.h"
#include "machine/environment.h"
#include "machine/isa.h"
#include "machine/machine.h"
#include "machine/nvml.h"
#include "machine/platform.h"
#include "machine/topology.h"

namespace ridge {
namespace {

using Clock = std::chrono::steady_clock;

// The deepest level that hwloc, or what stands in for it, knows.
int last_level(const Machine& machine) {
  int level = 0;
  for (const Cache& cache : machine.cpu.caches) {
    if (cache.type != "instruction") level = std::max(level, cache.level);
  }
  return level;
}

}  // namespace

Machine discover(const Sources& sources) {
  Machine out;
  const bool watch = sources.process_window_ms > 0;
  const auto before = watch ? machine::read_process_times(sources) : machine::ProcessTimes();
  const auto begin = Clock::now();

  machine::read_cpu(sources, out.cpu);
  machine::read_topology(sources, out.cpu);
  machine::read_memory(sources, out.memory);
  machine::check_numa(out.memory.total_bytes, out.cpu);
  machine::read_system(sources, out.system);
  if (sources.is_this_machine()) {
    out.cpu.extensions = machine::probe_extensions(machine::isa_probes());
    out.cpu.extensions_reason = machine::isa_reason();
  } else {
    out.cpu.extensions_reason = "these are the files of another machine: nothing was run on it";
  }
  // A bare name is this machine's driver; a path may stand for another's.
  const bool ask = sources.is_this_machine() || sources.nvml_library.find('/') != std::string::npos;
  out.nvidia = machine::read_nvidia(ask ? sources.nvml_library : "");
  out.apple_gpu = machine::read_apple_gpu(sources);
  out.build = machine::build_info();
  out.environment = machine::relevant_environment(sources.environment);

  if (!watch) {
    out.system.heavy_processes_reason = "not watched";
    return out;
  }
  std::this_thread::sleep_until(begin + std::chrono::milliseconds(sources.process_window_ms));
  const auto after = machine::read_process_times(sources);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  out.system.heavy_processes = machine::heavy_processes(before, after, seconds);
  out.system.heavy_processes_reason = after.reason;
  return out;
}

Known<int64_t> last_level_cache_bytes(const Machine& machine) {
  int64_t largest = 0;
  for (const Cache& cache : machine.cpu.caches) {
    if (cache.level == last_level(machine) && cache.type != "instruction") {
      largest = std::max(largest, cache.bytes);
    }
  }
  return largest > 0 ? Known<int64_t>(largest) : Known<int64_t>::unknown(machine.cpu.caches_reason);
}

Known<int64_t> last_level_cache_total_bytes(const Machine& machine) {
  int64_t total = 0;
  for (const Cache& cache : machine.cpu.caches) {
    if (cache.level != last_level(machine) || cache.type == "instruction") continue;
    if (!cache.count) return Known<int64_t>::unknown(cache.count.reason);
    total += cache.bytes * *cache.count;
  }
  return total > 0 ? Known<int64_t>(total) : Known<int64_t>::unknown(machine.cpu.caches_reason);
}

Known<int64_t> usable_memory_bytes(const Machine& machine) {
  const auto& total = machine.memory.total_bytes;
  const auto& limit = machine.memory.cgroup_limit_bytes;
  if (total && limit) return std::min(*total, *limit);
  return limit ? limit : total;
}

}  // namespace ridge
