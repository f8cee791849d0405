// Written after Apple's headers; not run here.
#include <fmt/format.h>
#include <libproc.h>
#include <mach/mach_time.h>
#include <sys/sysctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "machine/darwin_iokit.h"
#include "machine/darwin_sysctl.h"
#include "machine/platform.h"

namespace ridge::machine {
namespace {

constexpr const char* kElsewhere = "only the running system tells";

template <class T>
Known<T> none(const char* why) {
  return Known<T>::unknown(why);
}

Known<double> as_double(const Known<int64_t>& value) {
  if (!value) return Known<double>::unknown(value.reason);
  return static_cast<double>(*value);
}

}  // namespace

void read_cpu(const Sources& sources, Cpu& cpu) {
  if (!sources.is_this_machine()) {
    cpu.model = cpu.vendor = cpu.microcode = cpu.revision = none<std::string>(kElsewhere);
    return;
  }
  utsname names{};
  if (::uname(&names) == 0) cpu.architecture = names.machine;
  cpu.model = sysctl_text("machdep.cpu.brand_string");
  cpu.vendor = sysctl_text("machdep.cpu.vendor");  // Intel's alone have it
  if (!cpu.vendor && cpu.model && cpu.model->starts_with("Apple")) cpu.vendor = "Apple";
  cpu.family = sysctl_number("machdep.cpu.family");
  cpu.model_number = sysctl_number("machdep.cpu.model");
  cpu.stepping = sysctl_number("machdep.cpu.stepping");
  read_identity_of_cpu(cpu);
  cpu.microcode = none<std::string>("macOS does not tell");
  cpu.revision = none<std::string>("macOS does not tell");
  Clocks& clocks = cpu.clocks;
  clocks.minimum_hz = as_double(sysctl_number("hw.cpufrequency_min"));  // Intel's alone
  clocks.maximum_hz = as_double(sysctl_number("hw.cpufrequency_max"));
  clocks.base_hz = as_double(sysctl_number("hw.cpufrequency"));
  clocks.counter_hz = as_double(sysctl_number("hw.tbfrequency"));
  clocks.current_mean_hz = snapshot(sources).clock_mean_hz;
  clocks.governor = none<std::string>("macOS has no governor");
  clocks.counter_invariant = none<bool>("macOS does not tell");
}

std::vector<Cache> caches_of_system() {
  struct Entry {
    int level;
    const char *type, *name;
  };
  static constexpr Entry entries[] = {{1, "data", "hw.l1dcachesize"},
                                      {1, "instruction", "hw.l1icachesize"},
                                      {2, "unified", "hw.l2cachesize"},
                                      {3, "unified", "hw.l3cachesize"}};
  std::vector<Cache> out;
  for (const Entry& entry : entries) {
    const auto bytes = sysctl_number(entry.name);
    if (!bytes || *bytes <= 0) continue;
    Cache cache;
    cache.level = entry.level;
    cache.type = entry.type;
    cache.bytes = *bytes;
    cache.count = cache.shared_by_threads = none<int64_t>("this sysctl does not tell");
    cache.line_bytes = sysctl_number("hw.cachelinesize");
    out.push_back(cache);
  }
  return out;
}

void read_memory(const Sources& sources, Memory& memory) {
  if (!sources.is_this_machine()) {
    memory.total_bytes = memory.available_bytes = none<int64_t>(kElsewhere);
    memory.devices_reason = memory.huge_pages_reason = kElsewhere;
    memory.theoretical_bandwidth_bytes_per_s = none<double>(kElsewhere);
    return;
  }
  memory.total_bytes = sysctl_number("hw.memsize");
  memory.available_bytes = darwin_available_bytes();
  memory.page_bytes = sysctl_number("hw.pagesize");
  xsw_usage swap{};
  size_t size = sizeof swap;
  if (::sysctlbyname("vm.swapusage", &swap, &size, nullptr, 0) == 0) {
    memory.swap_total_bytes = static_cast<int64_t>(swap.xsu_total);
    memory.swap_free_bytes = static_cast<int64_t>(swap.xsu_avail);
  }
  memory.cgroup_limit_bytes = none<int64_t>("macOS has no control groups");
  memory.transparent_huge_pages = none<std::string>("macOS has none");
  memory.huge_page_defrag = none<std::string>("macOS has none");
  memory.huge_pages_reason = "macOS has none";
  memory.devices_reason = "macOS does not tell the memory's parts to a program";
  memory.slots = Known<int64_t>::unknown(memory.devices_reason);
  memory.theoretical_bandwidth_bytes_per_s = Known<double>::unknown(
      "macOS does not tell the memory's width and rate; the chip database may know the chip's");
}

void read_system(const Sources& sources, System& system) {
  if (!sources.is_this_machine()) {
    system.kernel = system.os_name = system.os_version = none<std::string>(kElsewhere);
    return;
  }
  utsname names{};
  if (::uname(&names) == 0) {
    system.kernel = fmt::format("{} {}", names.sysname, names.release);
    system.kernel_version = std::string(names.version);
  }
  system.os_name = "macOS";
  system.os_version = sysctl_text("kern.osproductversion");
  system.c_library = none<std::string>("part of macOS");
  const auto guest = sysctl_number("kern.hv_vmm_present");
  if (guest) system.virtual_machine = *guest != 0;
  system.hypervisor = guest && *guest == 0 ? none<std::string>("none is announced")
                                           : none<std::string>("macOS does not tell its name");
  system.product = sysctl_text("hw.model");
  system.container = none<std::string>("macOS has no containers");
  system.power_source = iokit_power_source();
  double loads[3] = {};
  if (::getloadavg(loads, 3) == 3) {
    system.load1 = loads[0];
    system.load5 = loads[1];
    system.load15 = loads[2];
  }
  timeval boot{};
  size_t size = sizeof boot;
  if (::sysctlbyname("kern.boottime", &boot, &size, nullptr, 0) == 0) {
    system.uptime_s = static_cast<double>(::time(nullptr) - boot.tv_sec);
  }
  system.steal_s = none<double>("macOS does not count stolen time");
  system.cpu_quota_cores = none<double>("macOS has no control groups");
  system.affinity = none<std::string>("macOS does not bind threads to processors");
}

AppleGpu read_apple_gpu(const Sources& sources) {
  if (sources.is_this_machine()) return iokit_gpu();
  AppleGpu out;
  out.name = none<std::string>(kElsewhere);
  out.cores = none<int64_t>(kElsewhere);
  return out;
}

// Those of other users need rights that we lack: they are left out.
ProcessTimes read_process_times(const Sources& sources) {
  ProcessTimes out;
  if (!sources.is_this_machine()) {
    out.reason = kElsewhere;
    return out;
  }
  mach_timebase_info_data_t base{};
  mach_timebase_info(&base);
  std::vector<pid_t> pids(8192);
  const int bytes =
      ::proc_listpids(PROC_ALL_PIDS, 0, pids.data(), static_cast<int>(pids.size() * sizeof(pid_t)));
  pids.resize(bytes > 0 ? static_cast<size_t>(bytes) / sizeof(pid_t) : 0);
  for (const pid_t pid : pids) {
    proc_taskallinfo info{};
    if (pid <= 0 || pid == ::getpid()) continue;
    if (::proc_pidinfo(pid, PROC_PIDTASKALLINFO, 0, &info, sizeof info) != sizeof info) continue;
    const double ticks =
        static_cast<double>(info.ptinfo.pti_total_user + info.ptinfo.pti_total_system);
    out.processes.push_back({pid, static_cast<int64_t>(info.pbsd.pbi_start_tvsec),
                             info.pbsd.pbi_comm, ticks * base.numer / base.denom / 1e9});
  }
  if (out.processes.empty()) out.reason = "proc_listpids lists no processes that we may see";
  return out;
}

}  // namespace ridge::machine
