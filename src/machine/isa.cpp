#include "machine/isa.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>

namespace ridge::machine {
namespace {

constexpr int kRight = 0;
constexpr int kWrong = 1;

// The rest of a child's life. Only async-signal-safe calls: other threads may have held locks.
[[noreturn]] void be_child(const Probe& probe) {
  for (const int signal : {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGSYS}) {
    std::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::_exit(probe.run() ? kRight : kWrong);
}

Known<bool> verdict(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kRight) return true;
  if (WIFEXITED(status)) return false;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGILL) return false;
  return Known<bool>::unknown(
      fmt::format("the child that tried it died of signal {}", WTERMSIG(status)));
}

void pause_briefly() {
  const timespec half_a_millisecond = {0, 500'000};
  ::nanosleep(&half_a_millisecond, nullptr);
}

}  // namespace

std::vector<Known<bool>> run_in_children(std::span<const Probe> probes, int timeout_ms) {
  std::vector<Known<bool>> out(probes.size());
  std::vector<pid_t> children(probes.size(), -1);
  size_t running = 0;
  for (size_t i = 0; i < probes.size(); ++i) {
    children[i] = ::fork();
    if (children[i] == 0) be_child(probes[i]);
    if (children[i] > 0) ++running;
    if (children[i] < 0) {
      out[i] = Known<bool>::unknown(fmt::format("no child process: error {}", errno));
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (running > 0) {
    const bool late = std::chrono::steady_clock::now() > deadline;
    for (size_t i = 0; i < probes.size(); ++i) {
      if (children[i] <= 0) continue;
      int status = 0;
      if (late) ::kill(children[i], SIGKILL);
      const pid_t ended = ::waitpid(children[i], &status, late ? 0 : WNOHANG);
      if (ended == 0 || (ended < 0 && errno == EINTR)) continue;
      if (ended < 0) {  // where SIGCHLD is ignored, nobody learns how a child ended
        out[i] = Known<bool>::unknown("the child's exit status was lost");
      } else if (late && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        out[i] = Known<bool>::unknown(fmt::format("no answer in {} ms", timeout_ms));
      } else {
        out[i] = verdict(status);
      }
      children[i] = -1;
      --running;
    }
    if (running > 0) pause_briefly();
  }
  return out;
}

std::vector<Extension> probe_extensions(std::span<const Probe> probes) {
  const auto works = run_in_children(probes);
  std::vector<Extension> out;
  for (size_t i = 0; i < probes.size(); ++i) {
    out.push_back({probes[i].name, probes[i].announced(), works[i]});
  }
  return out;
}

}  // namespace ridge::machine
