#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "machine/files.h"
#include "machine/machine.h"
#include "machine/platform.h"

namespace ridge {
namespace {

using machine::known;
using machine::parse_number;

constexpr int64_t kMostClocks = 8;

Known<double> clock_mean(const Sources& sources) {
  double sum = 0;
  int64_t count = 0;
  const auto present = machine::read_line(sources, "/sys/devices/system/cpu/present");  // "0-63"
  int64_t processors = 1;
  if (present) {
    const auto last = parse_number<int64_t>(present->substr(present->find_last_of("-,") + 1));
    processors = std::clamp<int64_t>(last.value_or(0) + 1, 1, 65536);
  }
  const int64_t asked = std::min(processors, kMostClocks);
  for (int64_t i = 0; i < asked; ++i) {
    const auto khz = machine::read_int(
        sources, fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq",
                             i * processors / asked));
    if (!khz || *khz <= 0) continue;
    sum += static_cast<double>(*khz) * 1e3;
    ++count;
  }
  if (count == 0) {
    const auto cpuinfo = machine::read_text(sources, "/proc/cpuinfo", machine::kSmallFile);
    if (!cpuinfo) return Known<double>::unknown(cpuinfo.error().message);
    // x86: "cpu MHz" is measured where the processor counts its cycles (aperfmperf); without, it is
    // the time stamp counter's rate, which never changes.
    const auto flags = machine::field(*cpuinfo, "flags");
    if (!flags || fmt::format(" {} ", *flags).find(" aperfmperf ") == std::string::npos) {
      return Known<double>::unknown(
          "no cpufreq in /sys, and the processor counts no cycles for us");
    }
    for (const std::string_view line : machine::split(*cpuinfo, '\n')) {
      if (!line.starts_with("cpu MHz")) continue;
      const size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      const auto mhz = parse_number<double>(machine::trim(line.substr(colon + 1)));
      if (!mhz || *mhz <= 0) continue;
      sum += *mhz * 1e6;
      ++count;
    }
  }
  if (count == 0) return Known<double>::unknown("neither cpufreq nor /proc/cpuinfo tells a clock");
  return sum / static_cast<double>(count);
}

void take_hottest(std::optional<double>& hottest, const Result<int64_t>& millidegrees) {
  // Sensors that are broken say 0, or numbers that no chip survives.
  if (!millidegrees || *millidegrees <= 0 || *millidegrees > 150000) return;
  const double celsius = static_cast<double>(*millidegrees) / 1e3;
  hottest = std::max(hottest.value_or(celsius), celsius);
}

}  // namespace

// Only sensors of the processor: reading a disk's may take milliseconds, or wake it.
Known<double> machine::processor_temperature(const Sources& sources) {
  static constexpr std::array<std::string_view, 5> chips = {"coretemp", "k10temp", "zenpower",
                                                            "cpu_thermal", "apm_xgene"};
  std::optional<double> hottest;
  for (const std::string& name : machine::list_folder(sources, "/sys/class/hwmon")) {
    const std::string folder = "/sys/class/hwmon/" + name;
    const auto chip = machine::read_line(sources, folder + "/name");
    if (!chip || std::find(chips.begin(), chips.end(), *chip) == chips.end()) continue;
    // The first is the package's; the others are its cores, which are asked too where it is absent.
    for (int i = 1; i <= 4; ++i) {
      take_hottest(hottest, machine::read_int(sources, fmt::format("{}/temp{}_input", folder, i)));
    }
  }
  if (hottest) return *hottest;
  for (const std::string& name : machine::list_folder(sources, "/sys/class/thermal")) {
    if (!name.starts_with("thermal_zone")) continue;
    const std::string folder = "/sys/class/thermal/" + name;
    const auto type = machine::read_line(sources, folder + "/type");
    if (!type) continue;
    if (*type != "x86_pkg_temp" && type->find("cpu") == std::string::npos &&
        type->find("soc") == std::string::npos) {
      continue;
    }
    take_hottest(hottest, machine::read_int(sources, folder + "/temp"));
  }
  return known(hottest, "no sensor of the processor in /sys");
}

Snapshot snapshot(const Sources& sources) {
  Snapshot out;
  const auto loads = machine::read_line(sources, "/proc/loadavg");
  const auto parts = loads ? machine::words(*loads) : std::vector<std::string_view>();
  const auto load1 = parts.empty() ? std::nullopt : parse_number<double>(parts[0]);
  out.load1 = known(load1, loads ? "/proc/loadavg holds no number" : loads.error().message);

  const auto stat = machine::read_text(sources, "/proc/stat", machine::kLargeFile);
  const std::string why = stat ? "/proc/stat lacks it" : stat.error().message;
  std::optional<int64_t> steal, switches;
  if (stat) {
    for (const std::string_view line : machine::split(*stat, '\n')) {
      if (!line.starts_with("cpu ") && !line.starts_with("ctxt ")) continue;
      const auto fields = machine::words(line);
      if (fields[0] == "cpu" && fields.size() > 8) steal = parse_number<int64_t>(fields[8]);
      if (fields[0] == "ctxt" && fields.size() > 1) switches = parse_number<int64_t>(fields[1]);
    }
  }
  out.steal_ticks = known(steal, why);
  out.context_switches = known(switches, why);

  const auto meminfo = machine::read_text(sources, "/proc/meminfo");
  out.memory_available_bytes =
      Known<int64_t>::unknown(meminfo ? "/proc/meminfo lacks it" : meminfo.error().message);
  if (const auto text = meminfo ? machine::field(*meminfo, "MemAvailable") : std::nullopt) {
    const auto value = machine::words(*text);
    const auto kib = value.empty() ? std::nullopt : parse_number<int64_t>(value[0]);
    if (kib && *kib >= 0 && *kib < (int64_t{1} << 50)) out.memory_available_bytes = *kib * 1024;
  }
  out.clock_mean_hz = clock_mean(sources);
  out.temperature_celsius = machine::processor_temperature(sources);
  return out;
}

}  // namespace ridge
