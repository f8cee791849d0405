#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "fixture.h"
#include "machine/files.h"
#include "machine/linux_cgroup.h"
#include "machine/machine.h"
#include "machine/platform.h"
#include "smbios_builder.h"

namespace ridge::machine {
namespace {

TEST(Fixture, AmdVirtualMachine) {
  const Machine m = discover(fixture("amd_vm"));
  EXPECT_EQ(*m.cpu.model, "AMD EPYC 9B14");
  EXPECT_EQ(*m.cpu.vendor, "AuthenticAMD");
  EXPECT_EQ(*m.cpu.family, 25);
  EXPECT_EQ(*m.cpu.model_number, 17);
  EXPECT_EQ(*m.cpu.stepping, 1);
  EXPECT_EQ(m.cpu.architecture, "x86_64");
  EXPECT_EQ(*m.cpu.cores, 2);
  ASSERT_EQ(m.cpu.caches.size(), 4u);
  EXPECT_EQ(*last_level_cache_bytes(m), 32 << 20);
  EXPECT_EQ(*last_level_cache_total_bytes(m), 32 << 20);
  EXPECT_EQ(*m.cpu.caches[3].shared_by_threads, 2);
  EXPECT_EQ(*m.cpu.clocks.counter_invariant, true);
  // "cpu MHz" of a machine that counts no cycles is the time stamp counter's rate: no clock.
  EXPECT_FALSE(m.cpu.clocks.current_mean_hz);
  EXPECT_TRUE(m.cpu.extensions.empty());
  EXPECT_FALSE(m.cpu.extensions_reason.empty());
  EXPECT_EQ(*m.memory.total_bytes, int64_t{24684096} * 1024);
  EXPECT_EQ(*m.memory.cgroup_limit_bytes, int64_t{8} << 30);
  EXPECT_EQ(*usable_memory_bytes(m), int64_t{8} << 30);
  EXPECT_EQ(*m.memory.transparent_huge_pages, "madvise");
  ASSERT_EQ(m.memory.huge_pages.size(), 1u);
  EXPECT_EQ(m.memory.huge_pages[0].page_bytes, 2 << 20);
  EXPECT_EQ(m.memory.huge_pages[0].free, 60);
  EXPECT_FALSE(m.memory.theoretical_bandwidth_bytes_per_s);
  EXPECT_NE(m.memory.theoretical_bandwidth_bytes_per_s.reason.find("no SMBIOS"), std::string::npos);
  EXPECT_EQ(*m.system.virtual_machine, true);
  EXPECT_EQ(*m.system.product, "Google Google Compute Engine");
  EXPECT_EQ(*m.system.os_name, "Debian GNU/Linux");
  EXPECT_EQ(*m.system.os_version, "12 (bookworm)");
  EXPECT_EQ(*m.system.kernel, "Linux 6.1.0-28-cloud-amd64");
  EXPECT_DOUBLE_EQ(*m.system.cpu_quota_cores, 1.5);
  EXPECT_DOUBLE_EQ(*m.system.steal_s, 150.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  EXPECT_EQ(*m.system.affinity, "0-1");
  EXPECT_EQ(machine_key(m).rfind("amd-epyc-9b14-2c-23g-", 0), 0u);
}

TEST(Fixture, BareIntelWithSmbios) {
  Tree tree;
  tree.copy("intel_bare");
  SmbiosBuilder b;
  b.dimm({.total_bits = 64,
          .locator = "ChannelA-DIMM0",
          .type = 0x1a,
          .rated = 2666,
          .configured = 2400});
  b.dimm({.total_bits = 64,
          .locator = "ChannelB-DIMM0",
          .type = 0x1a,
          .rated = 2666,
          .configured = 2400});
  b.end();
  tree.put("/sys/firmware/dmi/tables/DMI", b.bytes());
  Sources sources = tree.sources();
  sources.hwloc_xml = tree.root() + "/hwloc.xml";
  const Machine m = discover(sources);
  EXPECT_EQ(*m.cpu.sockets, 1);
  EXPECT_EQ(*m.cpu.cores, 2);
  EXPECT_EQ(*m.cpu.threads, 4);
  EXPECT_EQ(*last_level_cache_bytes(m), 8 << 20);
  EXPECT_DOUBLE_EQ(*m.cpu.clocks.minimum_hz, 0.8e9);
  EXPECT_DOUBLE_EQ(*m.cpu.clocks.maximum_hz, 4.5e9);
  EXPECT_DOUBLE_EQ(*m.cpu.clocks.base_hz, 4.2e9);
  EXPECT_DOUBLE_EQ(*m.cpu.clocks.current_mean_hz, 1.1e9);
  EXPECT_EQ(*m.cpu.clocks.governor, "performance,powersave");
  EXPECT_DOUBLE_EQ(*m.memory.theoretical_bandwidth_bytes_per_s, 2 * 8 * 2400e6);
  EXPECT_EQ(*m.memory.slots, 2);
  EXPECT_EQ(*m.system.virtual_machine, false);
  EXPECT_EQ(*m.system.power_source, "battery");  // the mouse's does not count
  EXPECT_FALSE(m.memory.cgroup_limit_bytes);
  EXPECT_EQ(*usable_memory_bytes(m), *m.memory.total_bytes);
  EXPECT_DOUBLE_EQ(*snapshot(sources).temperature_celsius, 62.5);  // acpitz does not count
  EXPECT_EQ(*snapshot(sources).context_switches, 77);
  EXPECT_EQ(machine_key(m).rfind("intel-i7-7700k-2c-31g-", 0), 0u);
}

TEST(Fixture, ArmServerWithoutCpufreq) {
  const Machine m = discover(fixture("arm_server"));
  EXPECT_EQ(*m.cpu.model, "Neoverse-N1");
  EXPECT_EQ(*m.cpu.vendor, "ARM");
  EXPECT_EQ(*m.cpu.revision, "r3p1");
  EXPECT_FALSE(m.cpu.family);
  EXPECT_EQ(m.cpu.numa.size(), 2u);
  EXPECT_EQ(*m.cpu.sockets, 2);
  EXPECT_EQ(*last_level_cache_total_bytes(m), 4 * *last_level_cache_bytes(m));
  EXPECT_FALSE(m.cpu.clocks.maximum_hz);
  EXPECT_FALSE(m.system.virtual_machine);
  // A container whose mount shows its own group only.
  EXPECT_EQ(*m.memory.cgroup_limit_bytes, int64_t{4} << 30);
  EXPECT_DOUBLE_EQ(*m.system.cpu_quota_cores, 2.5);
  EXPECT_DOUBLE_EQ(*snapshot(fixture("arm_server")).temperature_celsius, 41.25);
}

TEST(Fixture, WithoutHwlocCpuinfoCounts) {
  Sources sources = fixture("intel_bare");
  sources.hwloc_xml = "";
  const Machine m = discover(sources);
  EXPECT_EQ(*m.cpu.sockets, 1);
  EXPECT_EQ(*m.cpu.cores, 2);
  EXPECT_EQ(*m.cpu.threads, 4);
  EXPECT_FALSE(last_level_cache_bytes(m));
  EXPECT_NE(last_level_cache_bytes(m).reason.find("hwloc was not asked"), std::string::npos);
}

TEST(Cgroup, TheTightestOfThePathCounts) {
  Tree tree;
  tree.put("/proc/self/cgroup", "0::/a/b/c\n");
  tree.put("/proc/self/mountinfo", "35 24 0:30 / /cg rw - cgroup2 cgroup2 rw\n");
  EXPECT_FALSE(cgroup_memory_limit_bytes(tree.sources()));
  tree.put("/cg/a/b/c/memory.max", "max\n");
  tree.put("/cg/a/b/memory.max", "3000\n");
  tree.put("/cg/a/memory.max", "2000\n");
  tree.put("/cg/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(*cgroup_memory_limit_bytes(tree.sources()), 2000);
  EXPECT_DOUBLE_EQ(*cgroup_cpu_quota_cores(tree.sources()), 0.5);
  tree.put("/proc/self/cgroup", "0::/../../etc\n");  // a path out of the mount is not followed
  EXPECT_FALSE(cgroup_memory_limit_bytes(tree.sources()));
}

TEST(Processes, TakesNamesWithBracketsAndSkipsOurselves) {
  const auto times = read_process_times(fixture("intel_bare"));
  ASSERT_EQ(times.processes.size(), 1u);
  EXPECT_EQ(times.processes[0].name, "tricky) name (x");
  EXPECT_DOUBLE_EQ(times.processes[0].seconds, 300.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

TEST(Processes, HeavyOnesAreThoseThatUsedTimeInBetween) {
  ProcessTimes before, after;
  before.processes = {{1, 10, "idle", 500}, {2, 10, "busy", 7}, {3, 10, "old", 100}};
  after.processes = {{1, 10, "idle", 500.01}, {2, 10, "busy", 7.5}, {3, 99, "new", 0.4}};
  const auto heavy = heavy_processes(before, after, 1.0);
  ASSERT_EQ(heavy.size(), 2u);
  EXPECT_EQ(heavy[0].name, "busy");
  EXPECT_DOUBLE_EQ(heavy[0].share, 0.5);
  EXPECT_EQ(heavy[1].name, "new");  // the pid was given anew
  EXPECT_TRUE(heavy_processes(before, after, 0).empty());
}

TEST(Robust, AnEmptyRootIsAllReasons) {
  const Tree tree;
  const Machine m = discover(tree.sources());
  EXPECT_FALSE(m.cpu.model);
  EXPECT_FALSE(m.memory.total_bytes);
  EXPECT_FALSE(usable_memory_bytes(m));
  EXPECT_EQ(machine_key(m).rfind("unknown-", 0), 0u);
  EXPECT_FALSE(snapshot(tree.sources()).load1);
}

TEST(Robust, FoldersPipesAndHugeFilesInThePlaceOfFiles) {
  Tree tree;
  std::filesystem::create_directories(tree.root() + "/proc/meminfo");
  tree.put("/proc/cpuinfo", "model name : x\n");
  ASSERT_EQ(::truncate((tree.root() + "/proc/cpuinfo").c_str(), off_t{1} << 40), 0);  // sparse
  ASSERT_EQ(::mkfifo((tree.root() + "/proc/loadavg").c_str(), 0600), 0);
  const auto begin = std::chrono::steady_clock::now();
  const Machine m = discover(tree.sources());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(*m.cpu.model, "x");
  EXPECT_FALSE(m.memory.total_bytes);
  EXPECT_FALSE(m.system.load1);
}

TEST(Robust, FilesWithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  Tree tree;
  tree.put("/sys/firmware/dmi/tables/DMI", "x");
  std::filesystem::permissions(tree.root() + "/sys/firmware/dmi/tables/DMI",
                               std::filesystem::perms::none);
  EXPECT_NE(discover(tree.sources()).memory.devices_reason.find("root only"), std::string::npos);
}

TEST(Robust, NumbersThatOverflow) {
  Tree tree;
  tree.put("/proc/meminfo", "MemTotal: 9223372036854775807 kB\nMemAvailable: -5 kB\n");
  tree.put("/proc/uptime", "1e999 nan\n");
  tree.put("/proc/loadavg", "nan inf 1\n");
  const Machine m = discover(tree.sources());
  EXPECT_FALSE(m.memory.total_bytes);
  EXPECT_FALSE(m.memory.available_bytes);
  EXPECT_FALSE(m.system.uptime_s);
  EXPECT_FALSE(m.system.load1) << *m.system.load1;
  EXPECT_TRUE(to_json(m).find("system")->find("load1")->is_null());
}

RC_GTEST_PROP(Robust, AnyBytesInTheFiles, ()) {
  static const std::vector<std::string> files = {
      "/proc/cpuinfo",
      "/proc/meminfo",
      "/proc/stat",
      "/proc/loadavg",
      "/proc/uptime",
      "/proc/self/cgroup",
      "/proc/self/mountinfo",
      "/proc/self/status",
      "/proc/self/mounts",
      "/proc/77/stat",
      "/etc/os-release",
      "/sys/devices/system/cpu/present",
      "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
      "/sys/firmware/dmi/tables/DMI",
      "/sys/kernel/mm/transparent_hugepage/enabled",
      "/sys/class/hwmon/hwmon0/name"};
  static const std::string pieces[] = {"flags",
                                       "model name",
                                       "CPU part",
                                       ":",
                                       " : ",
                                       "\n",
                                       "(",
                                       ")",
                                       "0",
                                       "-1",
                                       "18446744073709551616",
                                       "0x",
                                       "cpu ",
                                       "ctxt ",
                                       "cgroup2",
                                       " - ",
                                       "/",
                                       "..",
                                       "[",
                                       "]",
                                       "MemTotal:",
                                       "kB",
                                       "1e400",
                                       "nan"};
  Tree tree;
  for (const std::string& file : files) {
    std::string content;
    for (int i = *rc::gen::inRange(0, 12); i > 0; --i) {
      content += *rc::gen::inRange(0, 3) == 0 ? *rc::gen::arbitrary<std::string>()
                                              : pieces[*rc::gen::inRange<size_t>(0, 24)];
    }
    tree.put(file, content);
  }
  const Machine m = discover(tree.sources());
  RC_ASSERT(Json::parse(to_json(m).dump()).ok());
  RC_ASSERT(!machine_key(m).empty());
  snapshot(tree.sources());
}

}  // namespace
}  // namespace ridge::machine
