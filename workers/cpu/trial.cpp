#include "trial.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace ridge::cpu {

std::string trial(const std::function<bool()>& works) {
  constexpr unsigned kMostSeconds = 20;
  const pid_t child = ::fork();
  if (child < 0) return fmt::format("cannot start a process: {}", std::strerror(errno));
  if (child == 0) {
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(kMostSeconds);
    bool right = false;
    try {
      right = works();
    } catch (...) {
    }
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fmt::format("lost a process: {}", std::strerror(errno));
  }
  if (WIFSIGNALED(status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return WEXITSTATUS(status) == 0 ? "" : "the answer is wrong";
}

}  // namespace ridge::cpu
