#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ridge {

// Element types. tf32 is stored as f32: it names products computed with 10 bits of mantissa. fp8 is
// e4m3fn (OCP 8-bit floating point): 4 bits of exponent, 3 of mantissa, no infinities, at most 448.
// uint32 is a word of codes of less than a byte each (workload/weights.h).
enum class DType { f64, f32, tf32, f16, bf16, fp8, int8, int32, uint32 };

std::string_view name(DType dtype);
std::optional<DType> parse_dtype(std::string_view text);
std::string_view dtype_names();  // "f64, f32, …", for error messages
int bytes_of(DType dtype);       // bytes an element takes in memory
bool is_integer(DType dtype);

// The unit roundoff u of a floating type: |round(x) - x| <= u·|x|. 0 for integers.
double unit_roundoff(DType dtype);

// Round to nearest, ties to even; NaN stays NaN, what is too large becomes infinite.
inline uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
inline float from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
inline uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  // Below 2^-14 all codes are multiples of 2^-24: adding 2^-1, whose last bit is worth that,
  // rounds.
  const uint32_t small =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0x1p-1f) - 0x3f000000u;
  const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  const uint32_t code = magnitude < 0x38800000u ? small : normal;
  // Infinite, or NaN; without a comparison, which would keep loops from vectorising.
  const uint32_t most = 0x7c00u | (0x7f800000u - magnitude) >> 31 << 9;
  return static_cast<uint16_t>(sign | (code < most ? code : most));
}
float from_f16(uint16_t bits);

// e4m3fn. Round to nearest, ties to even; saturates: what is too large, infinities too, becomes
// ±448. NaN stays NaN (0x7f or 0xff).
inline uint8_t to_fp8(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint8_t>(sign | 0x7fu);
  // Below 2^-6 all codes are multiples of 2^-9: adding 2^14, whose last bit is worth that, rounds.
  const uint32_t small =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0x1p14f) - 0x46800000u;
  const uint32_t normal = (magnitude + 0x7ffffu + ((magnitude >> 20) & 1u) - 0x3c000000u) >> 20;
  const uint32_t code = magnitude < 0x3c800000u ? small : normal;
  return static_cast<uint8_t>(sign | (code < 0x7eu ? code : 0x7eu));
}
float from_fp8(uint8_t bits);

// Element `index` of an array of `dtype`, as float64.
double load(DType dtype, const void* array, int64_t index);

}  // namespace ridge
