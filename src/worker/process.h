#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace ridge {

// A child process with its stdin, stdout and stderr in our hands, in a process group of its own: a
// Ctrl-C in the terminal does not reach it, and killing it kills what it started. It dies with us
// (on Linux the kernel sees to that; elsewhere it sees the end of its stdin).
class Process {
 public:
  // `more_environment` ("NAME=value") is added to ours.
  static Result<Process> start(const std::vector<std::string>& argv,
                               const std::vector<std::string>& more_environment = {});
  // A peer that nobody here started: its stdin (a socket), stdout and stderr, which become ours.
  static Process over(int in, int out, int err);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();  // kills the group if it still runs, and waits

  int in() const { return in_; }    // we write: non-blocking socket, no SIGPIPE
  int out() const { return out_; }  // we read: non-blocking
  int err() const { return err_; }  // we read: non-blocking
  pid_t pid() const { return pid_; }

  void close_in();
  void kill();
  // Its threads, and whatever it started, take no processor's time until they go on.
  void stop();
  void go_on();
  // How it ended, such as "exited with code 3" or "killed by signal 11 (Segmentation fault)"; none
  // if it still runs after `seconds`.
  std::optional<std::string> wait(double seconds);

 private:
  Process() = default;
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  bool stopped_ = false;
  std::optional<std::string> ended_;
};

}  // namespace ridge
