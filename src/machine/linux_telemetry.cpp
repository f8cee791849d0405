#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "machine/files.h"
#include "machine/platform.h"
#include "machine/telemetry.h"

namespace ridge {
namespace {

using machine::parse_number;
using machine::read_int;
using machine::read_line;

const std::string kCpus = "/sys/devices/system/cpu";
const std::string kPowercap = "/sys/class/powercap";
constexpr size_t kMostProcessors = 64;  // asked for clock and throttling, evenly spread

std::vector<int64_t> asked_processors(const Sources& sources) {
  std::vector<int64_t> all, out;
  for (const std::string& name : machine::list_folder(sources, kCpus)) {
    if (const auto number = machine::numbered(name, "cpu")) all.push_back(*number);
  }
  const size_t count = std::min(all.size(), kMostProcessors);
  for (size_t i = 0; i < count; ++i) out.push_back(all[i * all.size() / count]);
  return out;
}

std::string cpu_folder(int64_t number) { return fmt::format("{}/cpu{}", kCpus, number); }

std::optional<double> clock_of(const Sources& sources, const std::string& path) {
  const auto khz = read_int(sources, path);
  if (!khz || *khz <= 0 || *khz > 100'000'000) return std::nullopt;  // 100 GHz
  return static_cast<double>(*khz) * 1e3;
}

void put_clock(Reading& reading, int64_t processor, std::optional<double> hz) {
  if (processor < 0 || processor >= 65536) return;
  const auto index = static_cast<size_t>(processor);
  if (reading.clock_hz.size() <= index) reading.clock_hz.resize(index + 1);
  reading.clock_hz[index] = hz;
}

// "cpu MHz" is measured where the processor counts its cycles (aperfmperf); without, it is the rate
// of the time stamp counter, which never changes.
void clocks_of_cpuinfo(const Sources& sources, Reading& reading) {
  const auto text = machine::read_text(sources, "/proc/cpuinfo", machine::kLargeFile);
  if (!text) return;
  std::optional<int64_t> processor;
  for (const std::string_view line : machine::split(*text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = machine::trim(line.substr(0, colon));
    const std::string_view value = machine::trim(line.substr(colon + 1));
    if (key == "processor") processor = parse_number<int64_t>(value);
    if (key != "cpu MHz" || !processor) continue;
    const auto mhz = parse_number<double>(value);
    if (mhz && *mhz > 0 && *mhz < 1e5) put_clock(reading, *processor, *mhz * 1e6);
  }
}

std::optional<int64_t> sum_of(const Sources& sources, const std::vector<std::string>& paths) {
  std::optional<int64_t> sum;
  for (const std::string& path : paths) {
    const auto count = read_int(sources, path);
    if (count && *count >= 0) sum = sum.value_or(0) + *count;
  }
  return sum;
}

}  // namespace

void Telemetry::find_clocks() {
  const auto base = read_int(sources_, cpu_folder(0) + "/cpufreq/base_frequency");
  const auto highest = read_int(sources_, cpu_folder(0) + "/cpufreq/cpuinfo_max_freq");
  if (base && *base > 0) {
    awake_hz_ = static_cast<double>(*base) * 1e3;
  } else if (highest && *highest > 0) {
    awake_hz_ = static_cast<double>(*highest) * 1e3 / 2;
  }
  for (const int64_t number : asked_processors(sources_)) {
    std::string path = cpu_folder(number) + "/cpufreq/scaling_cur_freq";
    if (clock_of(sources_, path)) clock_files_.emplace_back(number, std::move(path));
  }
  if (!clock_files_.empty()) {
    origins_.clock = "cpufreq/scaling_cur_freq";
    return;
  }
  const auto cpuinfo = machine::read_text(sources_, "/proc/cpuinfo");
  const auto flags = cpuinfo ? machine::field(*cpuinfo, "flags") : std::nullopt;
  Reading probe;
  if (flags && fmt::format(" {} ", *flags).find(" aperfmperf ") != std::string::npos) {
    clocks_of_cpuinfo(sources_, probe);
  }
  clocks_of_cpuinfo_ = !probe.clock_hz.empty();
  origins_.clock = clocks_of_cpuinfo_
                       ? Known<std::string>("cpu MHz of /proc/cpuinfo (aperfmperf)")
                       : Known<std::string>::unknown(
                             "no cpufreq in /sys, and the processor counts no cycles for us");
}

void Telemetry::find_throttle() {
  std::set<int64_t> packages;
  for (const int64_t number : asked_processors(sources_)) {
    const std::string folder = cpu_folder(number) + "/thermal_throttle/";
    std::vector<std::string> kinds = {"core"};
    const auto package = read_int(sources_, cpu_folder(number) + "/topology/physical_package_id");
    if (packages.insert(package ? *package : 0).second) kinds.emplace_back("package");
    for (const std::string& kind : kinds) {
      const std::string hot = folder + kind + "_throttle_count";
      const std::string power = folder + kind + "_power_limit_count";
      if (read_int(sources_, hot)) hot_files_.push_back(hot);
      if (read_int(sources_, power)) power_files_.push_back(power);
    }
  }
  origins_.throttle = hot_files_.empty() && power_files_.empty()
                          ? Known<std::string>::unknown("no counters of throttling in /sys")
                          : Known<std::string>("thermal_throttle counters");
}

// https://docs.kernel.org/power/powercap/powercap.html; AMD's counters stand under the same names.
// "intel-rapl-mmio" counts a package a second time and is left out.
void Telemetry::find_energy() {
  std::string why = "no energy counters in /sys/class/powercap";
  for (const std::string& folder : machine::list_folder(sources_, kPowercap)) {
    if (!folder.starts_with("intel-rapl:")) continue;
    EnergyDomain domain;
    domain.path = kPowercap + "/" + folder;
    const auto name = read_line(sources_, domain.path + "/name");
    if (!name) continue;
    domain.name = *name;
    const bool is_package = name->starts_with("package");
    if (!is_package && *name != "core" && *name != "dram") continue;  // uncore, psys
    // "intel-rapl:0:1" is a part of "intel-rapl:0".
    domain.package =
        is_package ? domain.path : kPowercap + "/" + folder.substr(0, folder.rfind(':'));
    const auto now = read_int(sources_, domain.path + "/energy_uj");
    if (!now) {
      why = now.error().message;  // since 2020 only root may (CVE-2020-8694)
      continue;
    }
    const auto range = read_int(sources_, domain.path + "/max_energy_range_uj");
    domain.range_uj = range && *range > 0 ? *range : 0;
    domains_.push_back(std::move(domain));
  }
  const bool any = std::any_of(domains_.begin(), domains_.end(),
                               [](const auto& domain) { return domain.path == domain.package; });
  if (!any) domains_.clear();  // the cores alone are not what an op takes
  bool memory = false;
  for (const EnergyDomain& domain : domains_) memory |= domain.name == "dram";
  origins_.energy = any ? Known<std::string>(memory ? "powercap RAPL, package + dram"
                                                    : "powercap RAPL, package without memory")
                        : Known<std::string>::unknown(why);
}

Telemetry::Telemetry(Sources sources) : sources_(std::move(sources)) {
  find_clocks();
  find_throttle();
  find_energy();
  const auto temperature = machine::processor_temperature(sources_);
  origins_.temperature = temperature ? Known<std::string>("hwmon or thermal zone")
                                     : Known<std::string>::unknown(temperature.reason);
  const auto load = read_line(sources_, "/proc/loadavg");
  origins_.load = load ? Known<std::string>("/proc/loadavg")
                       : Known<std::string>::unknown(load.error().message);
  const auto cpu = cpu_time(sources_);
  origins_.processor_time = cpu ? Known<std::string>("/proc/stat")
                                : Known<std::string>::unknown("/proc/stat does not tell it");
  origins_.power_saving =
      saves_power()
          ? Known<std::string>("platform_profile, energy_performance_preference, governor")
          : Known<std::string>::unknown("neither a platform profile nor cpufreq in /sys");
}

Reading Telemetry::read(double at_s) const {
  Reading out;
  out.at_s = at_s;
  out.cpu = cpu_time(sources_);
  for (const auto& [processor, path] : clock_files_) {
    put_clock(out, processor, clock_of(sources_, path));
  }
  if (clocks_of_cpuinfo_) clocks_of_cpuinfo(sources_, out);
  if (origins_.temperature) {
    out.temperature_celsius = machine::processor_temperature(sources_).value;
  }
  if (const auto load = read_line(sources_, "/proc/loadavg")) {
    const auto words = machine::words(*load);
    const auto load1 = words.empty() ? std::nullopt : parse_number<double>(words[0]);
    if (load1 && *load1 >= 0 && *load1 < 1e6) out.load1 = load1;
  }
  out.hot_events = sum_of(sources_, hot_files_);
  out.power_events = sum_of(sources_, power_files_);
  for (const EnergyDomain& domain : domains_) {
    const auto now = read_int(sources_, domain.path + "/energy_uj");
    out.energy_uj.push_back(now && *now >= 0 ? std::optional(*now) : std::nullopt);
  }
  return out;
}

// A governor called powersave is the usual one of the pstate drivers, which choose by the
// preference; of any other driver it holds the lowest clock.
std::optional<bool> Telemetry::saves_power() const {
  const auto profile = read_line(sources_, "/sys/firmware/acpi/platform_profile");
  const std::string cpufreq = cpu_folder(0) + "/cpufreq/";
  const auto preference = read_line(sources_, cpufreq + "energy_performance_preference");
  const auto governor = read_line(sources_, cpufreq + "scaling_governor");
  const auto driver = read_line(sources_, cpufreq + "scaling_driver");
  if (!profile && !preference && !governor) return std::nullopt;
  if (profile && *profile == "low-power") return true;
  if (preference && *preference == "power") return true;
  return governor && *governor == "powersave" && !preference && driver &&
         driver->find("pstate") == std::string::npos;
}

std::optional<bool> Telemetry::on_battery() const {
  const auto source = machine::read_power_source(sources_);
  if (!source) return std::nullopt;
  return *source == "battery";
}

}  // namespace ridge
