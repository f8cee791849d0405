#include "workload/files/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "base/units.h"

namespace ridge {
namespace {

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::optional<uint64_t> free_bytes(const std::string& folder) {
  struct statvfs room {};
  if (statvfs(folder.c_str(), &room) != 0 || room.f_blocks == 0) return std::nullopt;
  return static_cast<uint64_t>(room.f_bavail) * room.f_frsize;
}

}  // namespace

Result<PartFile> PartFile::create(const std::string& path, uint64_t bytes) {
  PartFile file(path, bytes);
  if (auto opened = file.open(); !opened) return opened.error();
  if (auto room = file.make_room(); !room) return room.error();
  return file;
}

PartFile::PartFile(PartFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(other.bytes_), file_(std::exchange(other.file_, -1)) {}

PartFile::~PartFile() {
  if (file_ < 0) return;
  unlink(part().c_str());  // while it is locked, and so ours
  close(file_);
}

Error PartFile::failed() const {
  const int error = errno;
  if (error != ENOSPC && error != EDQUOT) {
    return {fmt::format("{}: cannot write it: {}", path_, std::strerror(error))};
  }
  const auto room = free_bytes(folder_of(path_));
  return {
      fmt::format("{}: the disk is full: the file takes {}, and {} are free: make room, or "
                  "choose another folder",
                  path_, show_bytes(static_cast<int64_t>(bytes_)),
                  room ? show_bytes(static_cast<int64_t>(*room)) : "too few bytes")};
}

Result<void> PartFile::open() {
  for (;;) {
    const int file = ::open(part().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return failed();
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      const bool busy = errno == EWOULDBLOCK;
      const Error error = failed();
      close(file);
      if (!busy) return error;
      return Error{fmt::format("{}: another process is writing it: wait for that one", path_)};
    }
    // Between our open and our lock its writer may have renamed it: then this is not the part file.
    struct stat opened {
    }, named{};
    if (fstat(file, &opened) == 0 && stat(part().c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
      file_ = file;
      return {};
    }
    close(file);
  }
}

Result<void> PartFile::make_room() const {
  if (ftruncate(file_, 0) != 0) return failed();
  const auto room = free_bytes(folder_of(path_));
  if (room && bytes_ > *room) {
    errno = ENOSPC;
    return failed();
  }
#ifdef __linux__
  // Holds the room against others; some file systems cannot.
  if (fallocate(file_, 0, 0, static_cast<off_t>(bytes_)) == 0) return {};
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR) return failed();
#endif
  if (ftruncate(file_, static_cast<off_t>(bytes_)) != 0) return failed();
  return {};
}

Result<void> PartFile::write(std::span<const std::byte> bytes, uint64_t offset) const {
  while (!bytes.empty()) {
    const ssize_t done = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return failed();
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += static_cast<uint64_t>(done);
  }
  return {};
}

Result<void> PartFile::finish() {
  if (fsync(file_) != 0) return failed();
  if (std::rename(part().c_str(), path_.c_str()) != 0) return failed();
  close(std::exchange(file_, -1));
  return {};
}

}  // namespace ridge
