#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace ridge {

// A file in the making: PATH.part, locked, renamed to PATH when it is whole and removed otherwise.
// One that a killed process left behind is taken over; one that a living process writes is an
// error.
class PartFile {
 public:
  // Of `bytes` bytes, all 0; an error where the disk has no room for them.
  static Result<PartFile> create(const std::string& path, uint64_t bytes);
  ~PartFile();
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;

  Result<void> write(std::span<const std::byte> bytes, uint64_t offset) const;  // from any thread
  // Waits until all is on the disk, so that writing it back disturbs nothing that is measured next,
  // and gives the file its name.
  Result<void> finish();

 private:
  PartFile(std::string path, uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}
  Result<void> open();
  Result<void> make_room() const;
  Error failed() const;  // of errno
  std::string part() const { return path_ + ".part"; }

  std::string path_;
  uint64_t bytes_ = 0;
  int file_ = -1;
};

}  // namespace ridge
