#include "memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "nameless_file.h"

namespace ridge::llamacpp {

MemoryFile::MemoryFile(uint64_t bytes) : file_(nameless_file()) {
  void* at = MAP_FAILED;
  if (file_ >= 0 && ::ftruncate(file_, static_cast<off_t>(bytes)) == 0) {
    at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  }
  if (at == MAP_FAILED) {
    const int why = errno;
    if (file_ >= 0) ::close(file_);
    throw std::system_error(why, std::generic_category(), "no memory for a model's file");
  }
  bytes_ = {static_cast<std::byte*>(at), bytes};
}

MemoryFile::~MemoryFile() {
  ::munmap(bytes_.data(), bytes_.size());
  ::close(file_);
}

std::string MemoryFile::path() const { return path_of(file_); }

}  // namespace ridge::llamacpp
