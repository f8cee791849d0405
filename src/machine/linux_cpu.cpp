#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "machine/arm_parts.h"
#include "machine/files.h"
#include "machine/platform.h"
#include "machine/smbios.h"

namespace ridge::machine {
namespace {

using Text = std::string_view;

template <class T>
Known<T> unknown(std::string why) {
  return Known<T>::unknown(std::move(why));
}

// A field of /proc/cpuinfo's first processor.
Known<std::string> cpuinfo_text(const std::string& cpuinfo, Text key) {
  const auto text = field(cpuinfo, key);
  if (!text || text->empty()) {
    return unknown<std::string>(fmt::format("/proc/cpuinfo has no '{}'", key));
  }
  return std::string(*text);
}

Known<int64_t> cpuinfo_number(const std::string& cpuinfo, Text key) {
  const auto text = cpuinfo_text(cpuinfo, key);
  if (!text) return unknown<int64_t>(text.reason);
  const auto number = parse_number<int64_t>(*text);
  if (!number) return unknown<int64_t>(fmt::format("/proc/cpuinfo has no number in '{}'", key));
  return *number;
}

bool has_flag(const std::string& cpuinfo, Text flag) {
  const auto flags = field(cpuinfo, "flags");
  const auto all = flags ? words(*flags) : std::vector<Text>();
  return std::find(all.begin(), all.end(), flag) != all.end();
}

// A big.LITTLE machine has several kinds of core: all names, in the order of their processors.
void read_arm(const std::string& cpuinfo, Cpu& cpu) {
  std::vector<std::string> models;
  std::string revision, vendor;
  int64_t implementer = -1, variant = -1;
  for (const Text line : split(cpuinfo, '\n')) {
    const size_t colon = line.find(':');
    if (colon == Text::npos) continue;
    const Text key = trim(line.substr(0, colon)), value = trim(line.substr(colon + 1));
    const int64_t number = parse_hex(value).value_or(-1);
    if (key == "CPU implementer") implementer = number;
    if (key == "CPU variant") variant = number;
    if (key == "CPU part") {
      std::string name = arm_core_name(implementer, number);
      if (name.empty()) {
        name = fmt::format("Arm core, implementer {:#04x} part {:#05x}", implementer, number);
      }
      if (std::find(models.begin(), models.end(), name) == models.end()) models.push_back(name);
      vendor = arm_implementer_name(implementer);
    }
    const auto patch = parse_number<int64_t>(value);
    if (key == "CPU revision" && revision.empty() && variant >= 0 && patch) {
      revision = fmt::format("r{}p{}", variant, *patch);
    }
  }
  if (models.empty()) return;
  cpu.model = fmt::format("{}", fmt::join(models, " + "));
  cpu.vendor =
      vendor.empty() ? unknown<std::string>("its implementer is not in our table") : vendor;
  if (!revision.empty()) cpu.revision = revision;
  cpu.family = cpu.model_number = cpu.stepping = unknown<int64_t>("a number of x86 processors");
}

void read_identity(const Sources& sources, Cpu& cpu) {
  const auto cpuinfo = read_text(sources, "/proc/cpuinfo", kLargeFile);
  if (!cpuinfo) {
    const std::string& why = cpuinfo.error().message;
    cpu.model = cpu.vendor = cpu.microcode = cpu.revision = unknown<std::string>(why);
    cpu.family = cpu.model_number = cpu.stepping = unknown<int64_t>(why);
    return;
  }
  cpu.model = cpuinfo_text(*cpuinfo, "model name");
  cpu.vendor = cpuinfo_text(*cpuinfo, "vendor_id");
  cpu.microcode = cpuinfo_text(*cpuinfo, "microcode");
  cpu.family = cpuinfo_number(*cpuinfo, "cpu family");
  cpu.model_number = cpuinfo_number(*cpuinfo, "model");
  cpu.stepping = cpuinfo_number(*cpuinfo, "stepping");
  cpu.revision = unknown<std::string>("a number of Arm processors");
  if (!cpu.model) read_arm(*cpuinfo, cpu);
  if (!cpu.model) {
    const auto table = read_text(sources, "/sys/firmware/dmi/tables/DMI", kLargeFile);
    if (!table) return;
    const auto smbios =
        parse_smbios({reinterpret_cast<const std::byte*>(table->data()), table->size()});
    if (!smbios.processors.empty()) cpu.model = smbios.processors.front();
  }
  if (!field(*cpuinfo, "flags")) {
    cpu.clocks.counter_invariant = unknown<bool>("/proc/cpuinfo has no 'flags'");
  } else {
    cpu.clocks.counter_invariant =
        has_flag(*cpuinfo, "constant_tsc") && has_flag(*cpuinfo, "nonstop_tsc");
  }
}

std::vector<std::string> processors(const Sources& sources) {
  std::vector<std::string> out;
  for (const std::string& name : list_folder(sources, "/sys/devices/system/cpu")) {
    if (numbered(name, "cpu")) out.push_back("/sys/devices/system/cpu/" + name);
  }
  return out;
}

void read_clocks(const Sources& sources, Clocks& clocks) {
  constexpr Text kNone = "no cpufreq in /sys: a virtual machine, or no driver for it";
  clocks.minimum_hz = clocks.maximum_hz = unknown<double>(std::string(kNone));
  clocks.governor = unknown<std::string>(std::string(kNone));
  clocks.base_hz = unknown<double>("neither cpufreq nor the processor tells it");
  std::optional<double> least, most, base;
  std::set<std::string> governors;
  for (const std::string& cpu : processors(sources)) {
    const auto read = [&](Text file, double unit) -> std::optional<double> {
      const auto value = read_int(sources, cpu + std::string(file));
      if (!value || *value <= 0) return std::nullopt;
      return static_cast<double>(*value) * unit;
    };
    if (const auto hz = read("/cpufreq/cpuinfo_min_freq", 1e3)) {
      least = std::min(least.value_or(*hz), *hz);
    }
    if (const auto hz = read("/cpufreq/cpuinfo_max_freq", 1e3)) {
      most = std::max(most.value_or(*hz), *hz);
    }
    auto nominal = read("/cpufreq/base_frequency", 1e3);
    if (!nominal) nominal = read("/acpi_cppc/nominal_freq", 1e6);
    if (nominal) base = std::max(base.value_or(*nominal), *nominal);
    const auto governor = read_line(sources, cpu + "/cpufreq/scaling_governor");
    if (governor) governors.insert(*governor);
  }
  if (least) clocks.minimum_hz = *least;
  if (most) clocks.maximum_hz = *most;
  if (base) clocks.base_hz = *base;
  if (!governors.empty()) clocks.governor = fmt::format("{}", fmt::join(governors, ","));
  clocks.current_mean_hz = snapshot(sources).clock_mean_hz;
  if (!sources.is_this_machine()) {
    clocks.counter_hz = unknown<double>("only the running processor tells");
    return;
  }
  clocks.counter_hz = counter_hz_of_cpu();
  if (!clocks.base_hz) clocks.base_hz = base_hz_of_cpu();
}

}  // namespace

void read_cpu(const Sources& sources, Cpu& cpu) {
  // The architecture of a fixture is not that of the machine which reads it.
  utsname names{};
  if (sources.is_this_machine() && ::uname(&names) == 0) cpu.architecture = names.machine;
  if (!sources.is_this_machine()) {
    const auto told = read_line(sources, "/proc/sys/kernel/arch");  // Linux 6.1 and later
    if (told) cpu.architecture = *told;
  }
  cpu.clocks.counter_invariant = unknown<bool>("/proc/cpuinfo cannot be read");
  read_identity(sources, cpu);
  if (sources.is_this_machine()) read_identity_of_cpu(cpu);
  read_clocks(sources, cpu.clocks);
}

AppleGpu read_apple_gpu(const Sources&) {
  AppleGpu out;
  out.name = unknown<std::string>("not looked for under Linux");
  out.cores = unknown<int64_t>("not looked for under Linux");
  return out;
}

std::vector<Cache> caches_of_system() {
  struct Entry {
    int level;
    const char* type;
    int size, line;
  };
  static constexpr Entry entries[] = {
      {1, "data", _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL1_DCACHE_LINESIZE},
      {1, "instruction", _SC_LEVEL1_ICACHE_SIZE, _SC_LEVEL1_ICACHE_LINESIZE},
      {2, "unified", _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL2_CACHE_LINESIZE},
      {3, "unified", _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL3_CACHE_LINESIZE},
      {4, "unified", _SC_LEVEL4_CACHE_SIZE, _SC_LEVEL4_CACHE_LINESIZE},
  };
  const auto silent = unknown<int64_t>("sysconf does not tell");
  std::vector<Cache> out;
  for (const Entry& entry : entries) {
    const int64_t bytes = ::sysconf(entry.size), line = ::sysconf(entry.line);
    if (bytes <= 0) continue;
    out.push_back({entry.level, entry.type, bytes, silent, silent, line > 0 ? line : silent});
  }
  return out;
}

}  // namespace ridge::machine
