#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "machine/files.h"
#include "machine/linux_cgroup.h"
#include "machine/platform.h"

namespace ridge::machine {
namespace {

using KnownText = Known<std::string>;

void read_kernel(const Sources& sources, System& system) {
  utsname names{};
  if (sources.is_this_machine() && ::uname(&names) == 0) {
    system.kernel = fmt::format("{} {}", names.sysname, names.release);
    system.kernel_version = std::string(names.version);
    char library[64] = "";
    const size_t length = ::confstr(_CS_GNU_LIBC_VERSION, library, sizeof library);  // "glibc 2.36"
    system.c_library = length > 1 && length <= sizeof library
                           ? KnownText(library)
                           : KnownText::unknown("the C library does not tell its version");
    return;
  }
  system.kernel_version = known(read_line(sources, "/proc/sys/kernel/version"));
  const auto release = read_line(sources, "/proc/sys/kernel/osrelease");
  system.kernel =
      release ? KnownText("Linux " + *release) : KnownText::unknown(release.error().message);
  system.c_library = KnownText::unknown("only the running system tells");
}

// A value of os-release(5): quotes off. NAME="Debian GNU/Linux".
KnownText os_field(const Result<std::string>& text, std::string_view key) {
  if (!text) return KnownText::unknown(text.error().message);
  auto value = field(*text, key, '=');
  if (!value || value->empty()) {
    return KnownText::unknown(fmt::format("os-release has no {}", key));
  }
  const char quote = value->front();
  if (value->size() >= 2 && (quote == '"' || quote == '\'') && value->back() == quote) {
    value = value->substr(1, value->size() - 2);
  }
  return std::string(*value);
}

void read_os(const Sources& sources, System& system) {
  auto text = read_text(sources, "/etc/os-release");
  if (!text) text = read_text(sources, "/usr/lib/os-release");
  system.os_name = os_field(text, "NAME");
  system.os_version = os_field(text, "VERSION");
  if (!system.os_version) system.os_version = os_field(text, "VERSION_ID");
}

void read_virtualization(const Sources& sources, System& system) {
  const auto cpuinfo = read_text(sources, "/proc/cpuinfo");
  const auto flags = cpuinfo ? field(*cpuinfo, "flags") : std::nullopt;
  const auto product = read_line(sources, "/sys/class/dmi/id/product_name");
  const auto vendor = read_line(sources, "/sys/class/dmi/id/sys_vendor");
  if (product) {
    system.product = vendor ? fmt::format("{} {}", *vendor, *product) : *product;
  } else {
    const auto board = read_line(sources, "/proc/device-tree/model");
    system.product = board ? KnownText(*board) : KnownText::unknown(product.error().message);
  }
  system.hypervisor = KnownText::unknown("none is announced");
  if (const auto type = read_line(sources, "/sys/hypervisor/type")) system.hypervisor = *type;
  if (sources.is_this_machine()) {
    const auto told = hypervisor_of_cpu();
    if (told || !system.hypervisor) system.hypervisor = told;
  }
  if (flags) {
    const std::string all = fmt::format(" {} ", *flags);
    system.virtual_machine = all.find(" hypervisor ") != std::string::npos;
    if (!system.hypervisor) {
      system.hypervisor = KnownText::unknown(
          *system.virtual_machine ? "the processor announces one, without a name that we could read"
                                  : "none is announced: bare metal, or one that hides");
    }
  } else if (system.hypervisor) {
    system.virtual_machine = true;
  } else {
    system.virtual_machine = Known<bool>::unknown("the processor's flags do not tell");
  }
}

void read_container(const Sources& sources, System& system) {
  if (exists(sources, "/.dockerenv")) {
    // Images of docker become root disks of virtual machines, with the mark still in them.
    const auto mounts = read_text(sources, "/proc/self/mounts", kLargeFile);
    const bool overlay = mounts && mounts->find("overlay / overlay ") != std::string::npos;
    system.container = overlay ? KnownText("docker")
                               : KnownText::unknown(
                                     "/.dockerenv is there, but the root file "
                                     "system is no overlay");
  } else if (exists(sources, "/run/.containerenv")) {
    system.container = "podman";
  } else if (const auto name = read_line(sources, "/run/systemd/container")) {
    system.container = *name;
  } else {
    system.container = KnownText::unknown("none that leaves a mark");
  }
}

void read_load(const Sources& sources, System& system) {
  const auto loads = read_line(sources, "/proc/loadavg");
  const auto parts = loads ? words(*loads) : std::vector<std::string_view>();
  const std::string why = loads ? "/proc/loadavg holds no number" : loads.error().message;
  Known<double>* const targets[] = {&system.load1, &system.load5, &system.load15};
  for (size_t i = 0; i < 3; ++i) {
    *targets[i] = known(i < parts.size() ? parse_number<double>(parts[i]) : std::nullopt, why);
  }
  const auto uptime = read_line(sources, "/proc/uptime");
  const auto first = uptime ? words(*uptime) : std::vector<std::string_view>();
  system.uptime_s = known(first.empty() ? std::nullopt : parse_number<double>(first[0]),
                          uptime ? "/proc/uptime holds no number" : uptime.error().message);
  const auto now = snapshot(sources);
  system.steal_s = now.steal_ticks ? Known<double>(static_cast<double>(*now.steal_ticks) /
                                                   static_cast<double>(::sysconf(_SC_CLK_TCK)))
                                   : Known<double>::unknown(now.steal_ticks.reason);
}

// "0-2,5" of what sched_getaffinity says, for a machine without /proc.
std::string affinity_of_system() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {};
  std::string out;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &set)) continue;
    int last = i;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set)) ++last;
    if (!out.empty()) out += ',';
    out += last > i ? fmt::format("{}-{}", i, last) : fmt::format("{}", i);
    i = last;
  }
  return out;
}

void read_affinity(const Sources& sources, System& system) {
  const auto status = read_text(sources, "/proc/self/status");
  const auto list = status ? field(*status, "Cpus_allowed_list") : std::nullopt;
  if (list && !list->empty()) {
    system.affinity = std::string(*list);
    return;
  }
  const std::string told = sources.is_this_machine() ? affinity_of_system() : "";
  system.affinity = !told.empty() ? KnownText(told)
                                  : KnownText::unknown(status ? "/proc/self/status lacks it"
                                                              : status.error().message);
}

}  // namespace

Known<std::string> read_power_source(const Sources& sources) {
  bool mains = false, online = false, battery = false, discharging = false;
  const std::string folder = "/sys/class/power_supply";
  for (const std::string& name : list_folder(sources, folder)) {
    const auto type = read_line(sources, folder + "/" + name + "/type");
    if (!type) continue;
    const auto on = read_int(sources, folder + "/" + name + "/online");
    const auto status = read_line(sources, folder + "/" + name + "/status");
    // A mouse has a battery, too: its scope is "Device".
    const auto scope = read_line(sources, folder + "/" + name + "/scope");
    if (scope && *scope == "Device") continue;
    if (*type == "Mains" || *type == "USB") {
      mains = true;
      online = online || (on && *on > 0);
    } else if (*type == "Battery") {
      battery = true;
      discharging = discharging || (status && *status == "Discharging");
    }
  }
  if (online) {
    return "ac";
  }
  if (battery && (discharging || mains)) {
    return "battery";
  }
  if (battery) {
    return KnownText::unknown("a battery that does not say whether it is in use");
  }
  return KnownText::unknown("no power supply in /sys: a server, a desktop or a virtual machine");
}

void read_system(const Sources& sources, System& system) {
  read_kernel(sources, system);
  read_os(sources, system);
  read_virtualization(sources, system);
  read_container(sources, system);
  system.power_source = read_power_source(sources);
  read_load(sources, system);
  read_affinity(sources, system);
  system.cpu_quota_cores = cgroup_cpu_quota_cores(sources);
}

}  // namespace ridge::machine
