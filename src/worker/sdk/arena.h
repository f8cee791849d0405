#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ridge::sdk {

// Host memory for operands: one region a process, asked for as huge pages, whose pages stay once
// touched, so that preparing the next op does not fault them in again. Allocations are freed all
// together. Not thread-safe.
class Arena {
 public:
  // Reserves address space only (no memory) for `capacity` bytes, at most mappable_memory(), or for
  // as large a half, quarter, … of them as is granted; throws std::bad_alloc below 16 MiB.
  explicit Arena(int64_t capacity);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `bytes` at a multiple of 64, never two arrays at the same offset in a 4 KiB page: loads and
  // stores whose low 12 address bits agree falsely wait for each other. Throws std::bad_alloc.
  void* allocate(int64_t bytes);
  void reset();    // frees all allocations, keeps the pages
  void discard();  // frees all allocations and gives the pages back
  int64_t used() const { return used_; }
  int64_t touched() const { return touched_; }  // the most in use since it was made, or discarded

  // "huge pages: 98 % of 3.0 GiB", from the kernel's own account of this region; empty: unknown.
  std::string huge_page_note() const;

 private:
  std::byte* base_ = nullptr;
  int64_t capacity_ = 0;
  int64_t used_ = 0;
  int64_t touched_ = 0;
  int64_t count_ = 0;
};

}  // namespace ridge::sdk
