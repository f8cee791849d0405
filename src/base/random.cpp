#include "base/random.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

// The loops below are plain and vectorize; on x86-64 Linux the loader picks the widest version that
// the machine has, so that filling runs at memory speed without -march=native.
#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__clang__)
#define RIDGE_WIDEST \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3")))
#else
#define RIDGE_WIDEST
#endif

namespace ridge {
namespace {

uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint64_t fnv1a64(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

inline uint32_t lowbias32(uint32_t h) {
  h ^= h >> 16;
  h *= 0x7feb352du;
  h ^= h >> 15;
  h *= 0x846ca68bu;
  return h ^ (h >> 16);
}

struct Block {
  uint32_t a, b;
};

Block block(TensorKey key, int64_t index) {
  const uint64_t mixed = mix64(key.key ^ (static_cast<uint64_t>(index) >> 32));
  return {static_cast<uint32_t>(mixed) | 1u, static_cast<uint32_t>(mixed >> 32)};
}

// The one place that turns bits into an element; everything is exact but the product with `scale`.
inline double as_f64(uint32_t h, double scale) {
  return static_cast<double>(static_cast<int32_t>(h)) * 0x1p-31 * scale;
}
inline float as_f32(uint32_t h, float scale) {
  return static_cast<float>(static_cast<int32_t>(h) >> 8) * 0x1p-23f * scale;
}
inline int8_t as_int8(uint32_t h) { return static_cast<int8_t>(static_cast<int32_t>(h) >> 24); }
inline int32_t as_int32(uint32_t h) { return static_cast<int32_t>(h) >> 16; }

// `low` + i must not wrap past 2^32 within one call: fill() cuts at the block's end.
RIDGE_WIDEST void fill_f64(Block k, uint32_t low, size_t n, double scale, double* out) {
  for (size_t i = 0; i < n; ++i)
    out[i] = as_f64(lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b), scale);
}
RIDGE_WIDEST void fill_f32(Block k, uint32_t low, size_t n, float scale, float* out) {
  for (size_t i = 0; i < n; ++i)
    out[i] = as_f32(lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b), scale);
}
RIDGE_WIDEST void fill_bf16(Block k, uint32_t low, size_t n, float scale, uint16_t* out) {
  for (size_t i = 0; i < n; ++i)
    out[i] = to_bf16(as_f32(lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b), scale));
}
RIDGE_WIDEST void fill_f16(Block k, uint32_t low, size_t n, float scale, uint16_t* out) {
  for (size_t i = 0; i < n; ++i)
    out[i] = to_f16(as_f32(lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b), scale));
}
RIDGE_WIDEST void fill_fp8(Block k, uint32_t low, size_t n, float scale, uint8_t* out) {
  for (size_t i = 0; i < n; ++i)
    out[i] = to_fp8(as_f32(lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b), scale));
}
RIDGE_WIDEST void fill_int8(Block k, uint32_t low, size_t n, int8_t* out) {
  for (size_t i = 0; i < n; ++i)
    out[i] = as_int8(lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b));
}
RIDGE_WIDEST void fill_int32(Block k, uint32_t low, size_t n, int32_t* out) {
  for (size_t i = 0; i < n; ++i)
    out[i] = as_int32(lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b));
}
RIDGE_WIDEST void fill_uint32(Block k, uint32_t low, size_t n, uint32_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = lowbias32((low + static_cast<uint32_t>(i)) * k.a + k.b);
}

}  // namespace

TensorKey tensor_key(uint64_t seed, uint64_t salt, uint64_t copy, std::string_view tensor) {
  return {mix64(mix64(mix64(mix64(seed) ^ salt) ^ copy) ^ fnv1a64(tensor))};
}

uint32_t random_bits(TensorKey key, int64_t index) {
  const Block k = block(key, index);
  return lowbias32(static_cast<uint32_t>(index) * k.a + k.b);
}

double random_element(TensorKey key, DType dtype, double scale, int64_t index) {
  const uint32_t h = random_bits(key, index);
  const auto narrow = static_cast<float>(scale);
  switch (dtype) {
    case DType::f64: return as_f64(h, scale);
    case DType::f32:
    case DType::tf32: return as_f32(h, narrow);
    case DType::f16: return from_f16(to_f16(as_f32(h, narrow)));
    case DType::bf16: return from_bf16(to_bf16(as_f32(h, narrow)));
    case DType::int8: return as_int8(h);
    case DType::int32: return as_int32(h);
    case DType::uint32: return h;
    case DType::fp8: return from_fp8(to_fp8(as_f32(h, narrow)));
  }
  throw std::logic_error("no such dtype");
}

void fill(TensorKey key, DType dtype, double scale, int64_t first, int64_t count, void* out) {
  auto* bytes = static_cast<std::byte*>(out);
  const auto narrow = static_cast<float>(scale);
  while (count > 0) {
    const Block k = block(key, first);
    const auto low = static_cast<uint32_t>(first);
    const auto n = static_cast<size_t>(
        std::min<int64_t>(count, (int64_t{1} << 32) - static_cast<int64_t>(low)));
    switch (dtype) {
      case DType::f64: fill_f64(k, low, n, scale, reinterpret_cast<double*>(bytes)); break;
      case DType::f32:
      case DType::tf32: fill_f32(k, low, n, narrow, reinterpret_cast<float*>(bytes)); break;
      case DType::f16: fill_f16(k, low, n, narrow, reinterpret_cast<uint16_t*>(bytes)); break;
      case DType::bf16: fill_bf16(k, low, n, narrow, reinterpret_cast<uint16_t*>(bytes)); break;
      case DType::int8: fill_int8(k, low, n, reinterpret_cast<int8_t*>(bytes)); break;
      case DType::int32: fill_int32(k, low, n, reinterpret_cast<int32_t*>(bytes)); break;
      case DType::uint32: fill_uint32(k, low, n, reinterpret_cast<uint32_t*>(bytes)); break;
      case DType::fp8: fill_fp8(k, low, n, narrow, reinterpret_cast<uint8_t*>(bytes)); break;
    }
    bytes += n * static_cast<size_t>(bytes_of(dtype));
    first += static_cast<int64_t>(n);
    count -= static_cast<int64_t>(n);
  }
}

double random_uniform(TensorKey key, int64_t index) {
  return static_cast<double>(random_bits(key, index)) * 0x1p-32;
}

}  // namespace ridge
