#pragma once

#include <cstdint>
#include <string_view>

#include "base/dtype.h"

namespace ridge {

// The input generator, version 1. Counter-based: any element follows from (seed, salt, copy, tensor
// name, index) alone, so a worker in any language and the checker make the same numbers.
//
//   mix64(x):  x += 0x9e3779b97f4a7c15; x = (x ^ x>>30) * 0xbf58476d1ce4e5b9;
//              x = (x ^ x>>27) * 0x94d049bb133111eb; x ^ x>>31            (splitmix64's finisher)
//   key      = mix64(mix64(mix64(mix64(seed) ^ salt) ^ copy) ^ fnv1a64(name))
//   block    = mix64(key ^ (index >> 32));  a = low32(block) | 1;  b = high32(block)
//   h        = lowbias32(low32(index) * a + b):
//              h ^= h>>16; h *= 0x7feb352d; h ^= h>>15; h *= 0x846ca68b; h ^= h>>16
//
// The element is then, with s = int32(h) as a signed number:
//   f64: s * 2^-31 * scale;   f32: float(s >> 8) * 2^-23 * scale, in [-1, 1) * scale
//   f16, bf16, fp8: the f32 value rounded to nearest even (fp8 is e4m3fn and saturates at 448)
//   int8: s >> 24, in [-128, 127];   int32: s >> 16;   uint32: h
// docs/protocol.md holds test vectors. (lowbias32: C. Wellons, "Prospecting for hash functions".)
inline constexpr int kGeneratorVersion = 1;

struct TensorKey {
  uint64_t key = 0;
  bool operator==(const TensorKey&) const = default;
};

TensorKey tensor_key(uint64_t seed, uint64_t salt, uint64_t copy, std::string_view tensor);

// h of the comment above.
uint32_t random_bits(TensorKey key, int64_t index);

// Element `index` as float64, exactly the value that fill() stores.
double random_element(TensorKey key, DType dtype, double scale, int64_t index);

// Writes elements [first, first + count) to `out`, which points at element `first`.
void fill(TensorKey key, DType dtype, double scale, int64_t first, int64_t count, void* out);

// A uniform number in [0, 1) for shuffles and choices of the orchestrator; step `index` of a
// stream.
double random_uniform(TensorKey key, int64_t index);

}  // namespace ridge
