#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace ridge::llamacpp {

// A file of `bytes` zeros that lies in memory and has no name in any folder, but a path in this
// process by which a library opens it. Throws std::system_error where it cannot be had.
class MemoryFile {
 public:
  explicit MemoryFile(uint64_t bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }
  std::string path() const;

 private:
  int file_ = -1;
  std::span<std::byte> bytes_;
};

}  // namespace ridge::llamacpp
