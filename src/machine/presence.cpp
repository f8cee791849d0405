#include "machine/presence.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ridge {
namespace {

// Never written to, and no link is followed: it may lie in a folder that anybody writes to. Opened
// before it is made, since such a folder may refuse O_CREAT on another user's file.
int open_shared(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  const int there = ::open(path.c_str(), kFlags);
  if (there >= 0 || errno != ENOENT) return there;
  const int made = ::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0644);
  if (made >= 0) {
    (void)::fchmod(made, 0644);  // whatever the umask: others have to read it
    return made;
  }
  return ::open(path.c_str(), kFlags);  // another was quicker
}

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Presence::Presence(const std::string& path) : file_(open_shared(path)) {
  struct flock shared = whole_file(F_RDLCK);
  if (file_ >= 0) (void)::fcntl(file_, F_SETLK, &shared);
}

Presence::~Presence() {
  if (file_ >= 0) ::close(file_);
}

std::optional<int64_t> Presence::other() const {
  // Who would be in the way of a lock of our own? Our shared one is not.
  struct flock asked = whole_file(F_WRLCK);
  if (file_ < 0 || ::fcntl(file_, F_GETLK, &asked) != 0) return std::nullopt;
  if (asked.l_type == F_UNLCK) return std::nullopt;
  return std::max<int64_t>(asked.l_pid, 0);
}

}  // namespace ridge
