#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/units.h"

namespace ridge::cli {

namespace {
double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

Progress::Progress(bool redraws)
    : terminal_(redraws && ::isatty(STDERR_FILENO) == 1), last_s_(now_s()) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (shown_ && terminal_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
}

void Progress::update(double eta_s, size_t done, size_t all, const std::string& now) {
  const double t = now_s();
  if (t - last_s_ < (terminal_ ? 0.5 : 10)) return;
  last_s_ = t;
  const std::string line =
      fmt::format("{}/{}  {} left  {:.40}", done, all, show_duration(eta_s), now);
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", line);
  } else {
    fmt::print(stderr, "ridge: {}\n", line);
  }
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace ridge::cli
