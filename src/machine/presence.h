#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ridge {

// Who else measures on this machine. As long as it lives, it holds a shared lock on a file that all
// ridges know; the system lets go of it however the process ends, so none is ever stale.
// One a process (POSIX locks belong to processes, not to descriptors).
class Presence {
 public:
  static constexpr const char* kFile = "/tmp/ridgepoint.lock";

  // A file that cannot be opened or locked is no error: nobody is noticed then.
  explicit Presence(const std::string& path);
  ~Presence();
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  // The process id of another that holds the lock just now; 0: of one in another container.
  std::optional<int64_t> other() const;

 private:
  int file_ = -1;
};

}  // namespace ridge
