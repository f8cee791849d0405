#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ridge {

// safetensors (huggingface/safetensors, README "Format"): a JSON header of names, types, shapes and
// places, then the data without holes.

enum class SafetensorsType {
  f64,
  f32,
  f16,
  bf16,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f6_e2m3,
  f6_e3m2,
  f4,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean,
  c64
};
std::string_view name(SafetensorsType type);  // "BF16", as files spell it
int bits_of(SafetensorsType type);            // of an element; 4 and 6 of the smallest

struct SafetensorsTensor {
  std::string name;
  SafetensorsType type = SafetensorsType::f32;
  std::vector<int64_t> shape;  // the slowest first; empty: a scalar; 0: no elements
  uint64_t offset = 0;         // of its first byte, from the start of its file
  uint64_t bytes = 0;
  size_t file = 0;  // in Safetensors::files

  int64_t elements() const;
  bool operator==(const SafetensorsTensor&) const = default;
};

struct Safetensors {
  std::vector<std::string> files;                             // paths; one, or the shards
  std::vector<std::pair<std::string, std::string>> metadata;  // "__metadata__" of the first file
  std::vector<SafetensorsTensor> tensors;                     // file by file, in order of offset

  const SafetensorsTensor* tensor(std::string_view name) const;  // nullptr: none
};

inline constexpr uint64_t kMostSafetensorsHeader = 100'000'000;  // bytes, as the reference has it

// What one file says: `file` is all of its bytes. Its `files` stay empty.
Result<Safetensors> parse_safetensors(std::span<const std::byte> file);

// A file, an index (model.safetensors.index.json) or a folder that holds model.safetensors or an
// index. All shards of an index are opened; a tensor must stand in the shard that the index says,
// and what else a shard holds is left out.
Result<Safetensors> open_safetensors(const std::string& path);

}  // namespace ridge
