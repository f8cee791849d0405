#include "worker/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char** environ;

namespace ridge {
namespace {

// As execve wants them: pointers into `texts`, then `inherited`, then null. The first of a name
// counts, so texts win.
std::vector<char*> pointers(const std::vector<std::string>& texts, char** inherited) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  for (; inherited && *inherited; ++inherited) out.push_back(*inherited);
  out.push_back(nullptr);
  return out;
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

void set_flags(int fd, bool non_blocking) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (non_blocking) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void die_with_parent(pid_t parent) {
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  if (::getppid() != parent) ::_exit(127);  // it died before we asked
}

std::string describe(int status) {
  if (WIFEXITED(status)) return fmt::format("exited with code {}", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* text = ::strsignal(signal);
  return fmt::format("killed by signal {} ({}){}", signal, text ? text : "unknown",
                     signal == SIGKILL ? ", most likely out of memory" : "");
}

}  // namespace

Result<Process> Process::start(const std::vector<std::string>& argv,
                               const std::vector<std::string>& more_environment) {
  int in[2], out[2], err[2], started[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, in) != 0) {
    return Error{fmt::format("cannot start {}: {}", argv[0], std::strerror(errno))};
  }
  if (::pipe(out) != 0 || ::pipe(err) != 0 || ::pipe(started) != 0) {
    // Too many open files: the few that leak here are the least of it.
    return Error{fmt::format("cannot start {}: {}", argv[0], std::strerror(errno))};
  }
  for (const int fd : {in[0], in[1], out[0], out[1], err[0], err[1], started[0], started[1]}) {
    set_flags(fd, fd == in[0] || fd == out[0] || fd == err[0]);
  }
  const std::vector<char*> args = pointers(argv, nullptr);
  const std::vector<char*> variables = pointers(more_environment, environ);

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    die_with_parent(parent);
    ::setpgid(0, 0);
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
    ::dup2(in[1], 0);
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    ::execve(args[0], args.data(), variables.data());
    const int why = errno;
    [[maybe_unused]] const auto ignored = ::write(started[1], &why, sizeof why);
    ::_exit(127);
  }
  ::close(in[1]);
  ::close(out[1]);
  ::close(err[1]);
  ::close(started[1]);
  Process process;
  process.pid_ = pid;
  process.in_ = in[0];
  process.out_ = out[0];
  process.err_ = err[0];
  int why = pid < 0 ? errno : 0;
  if (pid > 0) {
    ::setpgid(pid, pid);
    // The pipe closes by itself when exec succeeds.
    if (::read(started[0], &why, sizeof why) != sizeof why) why = 0;
  }
  ::close(started[0]);
  if (why != 0) return Error{fmt::format("cannot start {}: {}", argv[0], std::strerror(why))};
  return process;
}

Process Process::over(int in, int out, int err) {
  for (const int fd : {in, out, err}) set_flags(fd, true);
  Process process;
  process.in_ = in;
  process.out_ = out;
  process.err_ = err;
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      stopped_(std::exchange(other.stopped_, false)),
      ended_(std::move(other.ended_)) {}

Process::~Process() {
  if (pid_ > 0) {
    kill();
    wait(5);
  }
  close_fd(in_);
  close_fd(out_);
  close_fd(err_);
}

void Process::close_in() { close_fd(in_); }

void Process::kill() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);  // the group too, when the leader has gone already
  if (!ended_) ::kill(pid_, SIGKILL);
}

void Process::stop() {
  if (pid_ <= 0 || ended_ || stopped_) return;
  stopped_ = ::kill(-pid_, SIGSTOP) == 0;
}

void Process::go_on() {
  if (std::exchange(stopped_, false)) ::kill(-pid_, SIGCONT);
}

std::optional<std::string> Process::wait(double seconds) {
  if (ended_ || pid_ <= 0) return ended_;
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (auto pause = std::chrono::microseconds(50);;
       pause = std::min(pause * 2, std::chrono::microseconds(5000))) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) return ended_ = describe(status);
    if (got < 0 && errno != EINTR) return ended_ = "ended";
    if (std::chrono::steady_clock::now() >= until) return std::nullopt;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace ridge
