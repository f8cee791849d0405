#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "nameless_file.h"

namespace ridge::llamacpp {

// A file that is made here: it has no name in any folder, but a path in this process by which a
// library opens it.
class MadeFile {
 public:
  // Of `bytes` zeros. Throws std::system_error where there is no room, as far as the system says so
  // beforehand (Linux does, of a disk).
  MadeFile(uint64_t bytes, Lies where);
  ~MadeFile();
  MadeFile(const MadeFile&) = delete;
  MadeFile& operator=(const MadeFile&) = delete;

  // To be written; gone after done().
  std::span<std::byte> bytes() const { return bytes_; }
  // All is written: nothing here keeps its bytes in memory any longer.
  void done();

  int file() const { return file_; }
  std::string path() const;

 private:
  int file_ = -1;
  std::span<std::byte> bytes_;
};

}  // namespace ridge::llamacpp
