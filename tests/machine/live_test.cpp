// This very machine, held against what others say about it.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>

#include "machine/machine.h"
#include "report/machine_md.h"

namespace ridge {
namespace {

// What a command prints; empty if it cannot be run.
std::string output_of(const char* command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command, "r"), ::pclose);
  std::string out;
  std::array<char, 4096> part;
  while (pipe) {
    const size_t got = std::fread(part.data(), 1, part.size(), pipe.get());
    if (got == 0) break;
    out.append(part.data(), got);
  }
  return out;
}

std::string lscpu_field(const Json& lscpu, const std::string& name) {
  const Json* list = lscpu.find("lscpu");
  if (!list || !list->is_array()) return {};
  for (const Json& item : list->as_array()) {
    const Json* field = item.find("field");
    const Json* data = item.find("data");
    if (field && data && field->is_string() && data->is_string() && field->as_string() == name) {
      return data->as_string();
    }
  }
  return {};
}

const Machine& here() {
  static const Machine machine = discover({});
  return machine;
}

TEST(Live, AgreesWithLscpu) {
  const auto lscpu = Json::parse(output_of("LC_ALL=C lscpu -J 2>/dev/null"));
  if (!lscpu.ok()) GTEST_SKIP() << "no lscpu -J here";
  const Cpu& cpu = here().cpu;
  const auto same = [&](const std::string& field, const Known<std::string>& ours) {
    const std::string theirs = lscpu_field(*lscpu, field);
    if (!theirs.empty() && ours) {
      EXPECT_EQ(*ours, theirs) << field;
    }
  };
  same("Model name:", cpu.model);
  same("Vendor ID:", cpu.vendor);
  same("Architecture:", cpu.architecture);
  const auto count = [](const Known<int64_t>& value) {
    return value ? Known<std::string>(std::to_string(*value)) : Known<std::string>();
  };
  same("CPU family:", count(cpu.family));
  same("Model:", count(cpu.model_number));
  same("Socket(s):", count(cpu.sockets));
  same("CPU(s):", count(cpu.threads));
  same("NUMA node(s):", count(static_cast<int64_t>(cpu.numa.size())));
}

TEST(Live, CachesAgreeWithLscpu) {
  const auto lscpu = Json::parse(output_of("LC_ALL=C lscpu -B -C=NAME,ALL-SIZE,ONE-SIZE -J 2>&1"));
  const Json* list = lscpu.ok() ? lscpu->find("caches") : nullptr;
  if (!list || !list->is_array() || here().cpu.caches.empty()) GTEST_SKIP() << "no lscpu -C here";
  for (const Json& item : list->as_array()) {
    const std::string name = item.find("name")->as_string();  // "L1d", "L1i", "L2", "L3"
    int64_t one = 0, all = 0;
    for (const Cache& cache : here().cpu.caches) {
      const char kind = cache.type == "data" ? 'd' : cache.type == "instruction" ? 'i' : '\0';
      if (name != "L" + std::to_string(cache.level) + (kind ? std::string(1, kind) : "")) continue;
      one = cache.bytes;
      all += cache.bytes * *cache.count;
    }
    EXPECT_EQ(std::to_string(one), item.find("one-size")->as_string()) << name;
    EXPECT_EQ(std::to_string(all), item.find("all-size")->as_string()) << name;
  }
}

TEST(Live, AgreesWithProc) {
  std::ifstream meminfo("/proc/meminfo");
  std::string word;
  int64_t kib = 0;
  if (!(meminfo >> word >> kib) || word != "MemTotal:") GTEST_SKIP() << "no /proc/meminfo here";
  EXPECT_EQ(*here().memory.total_bytes, kib * 1024);
  EXPECT_EQ(*here().memory.page_bytes, ::getpagesize());
  EXPECT_GT(*here().system.uptime_s, 0);
}

TEST(Live, KeyAndTextsHoldTogether) {
  const std::string key = machine_key(here());
  EXPECT_EQ(key, machine_key(discover({})));
  const std::string text = report::machine_markdown(here());
  EXPECT_NE(text.find(key), std::string::npos);
  if (here().cpu.model) {
    EXPECT_NE(report::machine_line(here()).find(*here().cpu.model), std::string::npos);
  }
}

TEST(Live, ABusyProcessIsSeen) {
  const pid_t child = ::fork();
  if (child == 0) {
    volatile int turns = 0;
    for (;;) static_cast<void>(turns);
  }
  ASSERT_GT(child, 0);
  Sources sources;
  sources.process_window_ms = 500;
  const Machine m = discover(sources);
  ::kill(child, SIGKILL);
  rusage used{};
  ::wait4(child, nullptr, 0, &used);
  if (!m.system.heavy_processes_reason.empty()) GTEST_SKIP() << m.system.heavy_processes_reason;
  bool seen = false;
  for (const HeavyProcess& process : m.system.heavy_processes) seen |= process.pid == child;
  // On a machine with more work than processors it may get less than its fifth.
  const double used_s =
      static_cast<double>(used.ru_utime.tv_sec) + 1e-6 * static_cast<double>(used.ru_utime.tv_usec);
  if (!seen && (used_s < 0.4 || !m.system.heavy_processes.empty())) {
    GTEST_SKIP() << "too busy here to tell";
  }
  EXPECT_TRUE(seen);
}

TEST(Live, SnapshotTellsOfNow) {
  const Snapshot now = snapshot({});
  const Json json = to_json(now);
  EXPECT_TRUE(json.find("load1"));
  if (now.memory_available_bytes) {
    EXPECT_LE(*now.memory_available_bytes, *here().memory.total_bytes);
  }
}

}  // namespace
}  // namespace ridge
