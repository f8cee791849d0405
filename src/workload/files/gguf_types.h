#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "workload/files/gguf.h"

// What reader and writer of GGUF share: numbers of the format.
namespace ridge::gguf {

inline constexpr char kMagic[] = {'G', 'G', 'U', 'F'};
inline constexpr uint64_t kMostDims = 4;
inline constexpr uint64_t kMostName = 64;  // bytes of a tensor's name
inline constexpr uint64_t kMostKey = 65535;
inline constexpr uint64_t kDefaultAlignment = 32;
inline constexpr uint64_t kMostAlignment = uint64_t{1} << 30;
inline constexpr std::string_view kAlignmentKey = "general.alignment";

// Types of values: u8 i8 u16 i16 u32 i32 f32 bool string array u64 i64 f64 are 0 to 12. GgufValue
// holds the single ones in that order, then their arrays.
inline constexpr uint32_t kArray = 9;
inline constexpr size_t kScalars = std::variant_size_v<GgufValue> / 2;
constexpr uint32_t type_of(size_t index) {
  const auto scalar = static_cast<uint32_t>(index % kScalars);
  return scalar + (scalar >= kArray ? 1 : 0);
}

// A multiple of a power of two, at or above `value`, which is at most 2^63.
constexpr uint64_t round_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

// Why a name, a key, an alignment or a shape cannot be; empty: it can. What the reader refuses the
// writer does not write.
std::string fault_of_name(std::string_view name);
std::string fault_of_alignment(const GgufValue& value);
// Sets `bytes`.
std::string fault_of_shape(BlockFormat format, const std::vector<int64_t>& shape, uint64_t& bytes);

}  // namespace ridge::gguf
