#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace ridge {

// A file as read-only memory. The kernel reads pages as they are touched; a file that another
// process cuts short meanwhile ends this one (SIGBUS), as it does every reader by mmap.
class MappedFile {
 public:
  // An error for what is no file, is empty or cannot be read; the message names the path.
  static Result<MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::span<const std::byte> bytes, std::string path)
      : bytes_(bytes), path_(std::move(path)) {}

  std::span<const std::byte> bytes_;
  std::string path_;
};

}  // namespace ridge
