// Telemetry's parsers against trees of files whose contents are known.

#include "machine/telemetry.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "fixture.h"
#include "machine/cpu_time.h"

namespace {

using namespace ridge;
using machine::Tree;

const std::string kCpus = "/sys/devices/system/cpu/";
const std::string kRapl = "/sys/class/powercap/intel-rapl:";

// A server of two packages with two processors each.
void put_server(const Tree& tree) {
  tree.put("/proc/stat",
           "cpu  400 0 100 1000 50 0 0 20 0 0\n"
           "cpu0 100 0 25 250 10 0 0 5 0 0\ncpu1 100 0 25 250 10 0 0 5 0 0\n"
           "cpu2 100 0 25 250 10 0 0 5 0 0\ncpu3 100 0 25 250 20 0 0 5 0 0\nintr 9 9 9\n");
  tree.put("/proc/vmstat", "pgpgin 5\npswpin 3\npswpout 4\n");
  tree.put("/proc/loadavg", "1.25 1.00 0.50 2/300 4242\n");
  for (int i = 0; i < 4; ++i) {
    const std::string cpu = kCpus + "cpu" + std::to_string(i);
    tree.put(cpu + "/cpufreq/scaling_cur_freq", std::to_string(2'000'000 + i * 100'000) + "\n");
    tree.put(cpu + "/cpufreq/base_frequency", "2400000\n");
    tree.put(cpu + "/topology/physical_package_id", i < 2 ? "0\n" : "1\n");
    tree.put(cpu + "/thermal_throttle/core_throttle_count", std::to_string(i) + "\n");
    tree.put(cpu + "/thermal_throttle/package_throttle_count", i < 2 ? "10\n" : "20\n");
    tree.put(cpu + "/thermal_throttle/core_power_limit_count", "1\n");
  }
  tree.put("/sys/class/hwmon/hwmon0/name", "coretemp\n");
  tree.put("/sys/class/hwmon/hwmon0/temp1_input", "61000\n");
  for (const std::string package : {"0", "1"}) {
    tree.put(kRapl + package + "/name", "package-" + package + "\n");
    tree.put(kRapl + package + "/energy_uj", "5000000\n");
    tree.put(kRapl + package + "/max_energy_range_uj", "262143328850\n");
    tree.put(kRapl + package + ":0/name", "core\n");
    tree.put(kRapl + package + ":0/energy_uj", "2000000\n");
    tree.put(kRapl + package + ":1/name", "dram\n");
    tree.put(kRapl + package + ":1/energy_uj", "1000000\n");
  }
}

TEST(Telemetry, AServerThatTellsEverything) {
  const Tree tree;
  put_server(tree);
  // Counted twice, or the whole platform: not to be added.
  tree.put("/sys/class/powercap/intel-rapl-mmio:0/name", "package-0\n");
  tree.put("/sys/class/powercap/intel-rapl-mmio:0/energy_uj", "5000000\n");
  tree.put(kRapl + "2/name", "psys\n");
  tree.put(kRapl + "2/energy_uj", "9000000\n");
  const Telemetry telemetry(tree.sources());
  const Reading reading = telemetry.read(1.5);
  EXPECT_EQ(reading.at_s, 1.5);
  ASSERT_EQ(reading.clock_hz.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(reading.clock_hz[i].value(), 2e9 + 1e8 * static_cast<double>(i));
  }
  EXPECT_DOUBLE_EQ(telemetry.awake_hz().value(), 2.4e9);
  EXPECT_DOUBLE_EQ(reading.temperature_celsius.value(), 61);
  EXPECT_DOUBLE_EQ(reading.load1.value(), 1.25);
  EXPECT_EQ(reading.hot_events, 0 + 1 + 2 + 3 + 10 + 20);  // a package's count once
  EXPECT_EQ(reading.power_events, 4);
  ASSERT_TRUE(reading.cpu);
  const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(reading.cpu->busy_s, 500 * tick);
  EXPECT_DOUBLE_EQ(reading.cpu->steal_s, 20 * tick);
  EXPECT_NEAR(reading.cpu->total_s, 1570 * tick, 1e-9);
  EXPECT_EQ(reading.cpu->swapped_pages, 7);
  EXPECT_EQ(reading.cpu->processor_busy_s.size(), 4u);
  std::multiset<std::string> names;
  for (const EnergyDomain& domain : telemetry.domains()) {
    names.insert(domain.name);
    // A part belongs to the package that its folder is named after.
    EXPECT_TRUE(domain.path.starts_with(domain.package)) << domain.path;
  }
  EXPECT_EQ(names,
            (std::multiset<std::string>{"core", "core", "dram", "dram", "package-0", "package-1"}));
  EXPECT_EQ(reading.energy_uj[0], 5'000'000);
  EXPECT_EQ(telemetry.origins().energy.value, "powercap RAPL, package + dram");
}

TEST(Telemetry, NothingThereIsNothingToldAndEachHasItsReason) {
  const Tree tree;
  const Telemetry telemetry(tree.sources());
  const Reading reading = telemetry.read(0);
  EXPECT_FALSE(reading.cpu || reading.temperature_celsius || reading.load1 || reading.hot_events ||
               reading.power_events);
  EXPECT_TRUE(reading.clock_hz.empty() && reading.energy_uj.empty());
  EXPECT_FALSE(telemetry.saves_power() || telemetry.on_battery() || telemetry.awake_hz());
  const Json json = to_json(telemetry.origins());
  for (const std::string key :
       {"clock", "temperature", "load", "processor_time", "throttle", "energy", "power_saving"}) {
    ASSERT_TRUE(json.find(key) && json.find(key + "_reason")) << key;
    EXPECT_TRUE(json.find(key)->is_null()) << key;
    EXPECT_FALSE(json.find(key + "_reason")->as_string().empty()) << key;
  }
}

TEST(Telemetry, GarbageIsNotTold) {
  for (const std::string junk : {"", "\n", "nan\n", "-5\n", "12 13\n", "0x12\n", "1e3\n",
                                 "99999999999999999999999\n", "<unsupported>\n", "\xff\xfe"}) {
    const Tree tree;
    put_server(tree);
    for (const std::string path :
         {"/proc/stat", "/proc/loadavg", "/sys/class/hwmon/hwmon0/temp1_input"}) {
      tree.put(path, junk);
    }
    for (int i = 0; i < 4; ++i) {
      const std::string cpu = kCpus + "cpu" + std::to_string(i);
      tree.put(cpu + "/cpufreq/scaling_cur_freq", junk);
      tree.put(cpu + "/thermal_throttle/core_power_limit_count", junk);
    }
    for (const std::string package : {"0", "1"}) tree.put(kRapl + package + "/energy_uj", junk);
    const Telemetry telemetry(tree.sources());
    const Reading reading = telemetry.read(0);
    EXPECT_FALSE(reading.cpu || reading.temperature_celsius || reading.power_events) << junk;
    EXPECT_TRUE(reading.clock_hz.empty()) << junk;
    EXPECT_EQ(reading.load1.has_value(), junk == "12 13\n" || junk == "1e3\n") << junk;
    for (const auto& energy : reading.energy_uj) EXPECT_TRUE(!energy || *energy >= 0) << junk;
  }
}

// A sandbox may show /proc/stat, with zeros in it.
TEST(Telemetry, AProcStatOfZerosTellsNoTimes) {
  const Tree tree;
  tree.put("/proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n");
  EXPECT_FALSE(Telemetry(tree.sources()).read(0).cpu);
}

TEST(Telemetry, ACounterThatVanishesMeanwhileIsNotTold) {
  const Tree tree;
  put_server(tree);
  const Telemetry telemetry(tree.sources());
  std::filesystem::remove_all(tree.root() + "/sys");
  const Reading reading = telemetry.read(0);
  EXPECT_EQ(reading.energy_uj.size(), telemetry.domains().size());
  for (const auto& energy : reading.energy_uj) EXPECT_FALSE(energy);
  for (const auto& clock : reading.clock_hz) EXPECT_FALSE(clock);
  EXPECT_FALSE(reading.hot_events || reading.temperature_celsius);
  EXPECT_TRUE(reading.cpu);
}

TEST(Telemetry, CoresWithoutTheirPackageAreNoEnergy) {
  const Tree tree;
  tree.put(kRapl + "0/name", "package-0\n");  // its counter is only root's: no such file here
  tree.put(kRapl + "0:0/name", "core\n");
  tree.put(kRapl + "0:0/energy_uj", "5\n");
  const Telemetry telemetry(tree.sources());
  EXPECT_TRUE(telemetry.domains().empty());
  EXPECT_FALSE(telemetry.origins().energy);
  EXPECT_NE(telemetry.origins().energy.reason.find("energy_uj"), std::string::npos);
}

TEST(Telemetry, CpuMhzCountsOnlyWhereItIsMeasured) {
  const std::string text =
      "processor\t: 0\ncpu MHz\t\t: 3000.500\n\nprocessor\t: 1\ncpu MHz\t\t: x\n";
  for (const bool measured : {true, false}) {
    const Tree tree;
    tree.put("/proc/cpuinfo",
             std::string("flags\t\t: fpu") + (measured ? " aperfmperf" : "") + " tsc\n" + text);
    const Telemetry telemetry(tree.sources());
    const Reading reading = telemetry.read(0);
    ASSERT_EQ(reading.clock_hz.size(), measured ? 1u : 0u);
    EXPECT_EQ(reading.clock_hz, std::vector<std::optional<double>>(measured, 3.0005e9));
    EXPECT_EQ(static_cast<bool>(telemetry.origins().clock), measured);
  }
}

TEST(Telemetry, WhatCountsAsSavingPower) {
  struct Case {
    const char *profile, *preference, *governor, *driver;
    std::optional<bool> saves;
  };
  for (const Case& c : {Case{"low-power", "", "", "", true},
                        {"balanced", "", "", "", false},
                        {"", "power", "powersave", "intel_pstate", true},
                        {"", "balance_performance", "powersave", "intel_pstate", false},
                        {"", "", "powersave", "amd-pstate", false},
                        {"", "", "powersave", "acpi-cpufreq", true},
                        {"", "", "schedutil", "acpi-cpufreq", false},
                        {"", "", "", "", std::nullopt}}) {
    const Tree tree;
    const std::string cpufreq = kCpus + "cpu0/cpufreq/";
    const auto put = [&](const std::string& path, const char* text) {
      if (*text) tree.put(path, std::string(text) + "\n");
    };
    put("/sys/firmware/acpi/platform_profile", c.profile);
    put(cpufreq + "energy_performance_preference", c.preference);
    put(cpufreq + "scaling_governor", c.governor);
    put(cpufreq + "scaling_driver", c.driver);
    EXPECT_EQ(Telemetry(tree.sources()).saves_power(), c.saves)
        << c.profile << c.preference << c.governor << c.driver;
  }
}

// However a counter wraps, what it gained is what was put in.
RC_GTEST_PROP(Telemetry, AWrappingCounterGainsWhatWasPutIn, ()) {
  const auto range = *rc::gen::inRange<int64_t>(1'000'000, int64_t{1} << 40);
  const auto before = *rc::gen::inRange<int64_t>(0, range);
  const auto gained = *rc::gen::inRange<int64_t>(0, range);
  const auto joules = gained_joules(before, (before + gained) % range, range, 1e6);
  RC_ASSERT(joules.has_value());
  RC_ASSERT(std::abs(*joules - static_cast<double>(gained) * 1e-6) < 1e-3);
}

TEST(Telemetry, WhatACounterCannotHaveGained) {
  EXPECT_FALSE(gained_joules(10, 5, 0, 1));  // wrapped, nobody knows where
  EXPECT_FALSE(gained_joules(10, 5, 8, 1));  // beyond its own range
  EXPECT_FALSE(gained_joules(-1, 5, 100, 1));
  EXPECT_FALSE(gained_joules(0, 5, 100, 0));
  EXPECT_FALSE(gained_joules(0, 20'000'000'000, 0, 1));  // 20 kW
  EXPECT_DOUBLE_EQ(gained_joules(0, 150'000'000, 0, 1).value(), 150);
}

TEST(Processes, WaitForProcessors) {
  const Tree tree;
  EXPECT_FALSE(process_waited(tree.sources(), 7));
  tree.put("/proc/7/task/7/schedstat", "900000000 1500000000 12\n");
  tree.put("/proc/7/task/9/schedstat", "1 500000000 3\n");
  const auto waited = process_waited(tree.sources(), 7);
  ASSERT_TRUE(waited);
  EXPECT_DOUBLE_EQ(waited->seconds, 2.0);
  EXPECT_EQ(waited->times, 15);
  tree.put("/proc/7/task/9/schedstat", "1\n");
  EXPECT_FALSE(process_waited(tree.sources(), 7));
}

}  // namespace
