#include "machine/isa.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

namespace ridge::machine {
namespace {

Known<bool> yes() { return true; }
bool right() { return true; }
bool wrong() { return false; }
// ud2 on x86, udf on Arm: this compiler's undefined instruction.
bool undefined() {
  __builtin_trap();
  return true;
}
bool crash() {
  std::raise(SIGSEGV);
  return true;
}
bool hang() {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

TEST(Isa, ChildrenTellTheTruth) {
  const Probe probes[] = {{"right", yes, right},
                          {"wrong", yes, wrong},
                          {"undefined", yes, undefined},
                          {"crash", yes, crash},
                          {"hang", yes, hang}};
  const auto works = run_in_children(probes, 300);
  ASSERT_EQ(works.size(), 5u);
  EXPECT_EQ(works[0].value, true);
  EXPECT_EQ(works[1].value, false);
  EXPECT_TRUE(works[2].value == false || works[2].reason.find("signal 5") != std::string::npos);
  EXPECT_FALSE(works[3]);
  EXPECT_EQ(works[3].reason, "the child that tried it died of signal 11");
  EXPECT_FALSE(works[4]);
  EXPECT_EQ(works[4].reason, "no answer in 300 ms");
}

TEST(Isa, AHandlerOfOursDoesNotHideTheSignal) {
  const auto before = std::signal(SIGILL, [](int) { std::_Exit(0); });
  const Probe probes[] = {{"undefined", yes, undefined}};
  const auto works = run_in_children(probes, 2000);
  std::signal(SIGILL, before);
  EXPECT_NE(works[0].value, true);
}

TEST(Isa, IgnoredChildrenGiveAReason) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  const Probe probes[] = {{"right", yes, right}};
  const auto works = run_in_children(probes, 2000);
  std::signal(SIGCHLD, before);
  EXPECT_FALSE(works[0]);
  EXPECT_EQ(works[0].reason, "the child's exit status was lost");
}

// The kernel's own list of flags, under its own names.
std::set<std::string> kernel_flags() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line;
  while (std::getline(cpuinfo, line)) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

TEST(Isa, AgreesWithTheKernel) {
  const auto flags = kernel_flags();
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo lists no flags";
  const auto kernel_name = [](const std::string& name) -> std::string {
    if (name == "sse4.2") return "sse4_2";
    if (name == "neon") return "asimd";
    if (name == "fp16") return "asimdhp";
    if (name == "dotprod") return "asimddp";
    return name;
  };
  for (const Extension& extension : probe_extensions(isa_probes())) {
    const bool listed = flags.count(kernel_name(extension.name)) > 0;
    // What the kernel does not list may work all the same: older kernels lack the newer names, and
    // a hypervisor hides a set without being able to forbid it.
    if (!listed) continue;
    EXPECT_EQ(extension.works.value, true) << extension.name << ": " << extension.works.reason;
    EXPECT_EQ(extension.announced.value, true) << extension.name;
  }
}

}  // namespace
}  // namespace ridge::machine
