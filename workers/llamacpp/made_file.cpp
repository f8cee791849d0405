#include "made_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace ridge::llamacpp {
namespace {

// A mapped page for which there is no room left is a SIGBUS: on Linux a disk's is taken beforehand.
// 0 or errno.
int take_room(int file, uint64_t bytes, [[maybe_unused]] Lies where) {
#ifdef __linux__
  if (where == Lies::on_disk) return ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
#endif
  return ::ftruncate(file, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
}

[[noreturn]] void fail(int why, Lies where) {
  throw std::system_error(
      why, std::generic_category(),
      where == Lies::in_memory
          ? "no memory for a model's file"
          : "cannot make a model's file in " + std::filesystem::temp_directory_path().string());
}

}  // namespace

MadeFile::MadeFile(uint64_t bytes, Lies where) : file_(nameless_file(where)) {
  if (file_ < 0) fail(errno, where);
  int why = take_room(file_, bytes, where);
  void* at = MAP_FAILED;
  if (why == 0) {
    at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    why = errno;
  }
  if (at == MAP_FAILED) {
    ::close(file_);
    fail(why, where);
  }
  bytes_ = {static_cast<std::byte*>(at), bytes};
}

MadeFile::~MadeFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  ::close(file_);
}

void MadeFile::done() {
  ::munmap(bytes_.data(), bytes_.size());
  bytes_ = {};
  if (::fsync(file_) != 0 && errno != EINVAL && errno != ENOTSUP) {
    throw std::system_error(errno, std::generic_category(), "cannot write a model's file");
  }
}

std::string MadeFile::path() const { return path_of(file_); }

}  // namespace ridge::llamacpp
