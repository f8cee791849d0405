#include "base/dtype.h"

#include <cstring>
#include <limits>
#include <stdexcept>

namespace ridge {
namespace {

struct Entry {
  DType dtype;
  std::string_view name;
  int bytes;
  double roundoff;
};

constexpr Entry kTypes[] = {
    {DType::f64, "f64", 8, 0x1p-53},   {DType::f32, "f32", 4, 0x1p-24},
    {DType::tf32, "tf32", 4, 0x1p-11}, {DType::f16, "f16", 2, 0x1p-11},
    {DType::bf16, "bf16", 2, 0x1p-8},  {DType::fp8, "fp8", 1, 0x1p-4},
    {DType::int8, "int8", 1, 0},       {DType::int32, "int32", 4, 0},
    {DType::uint32, "uint32", 4, 0},
};

const Entry& entry(DType dtype) {
  for (const Entry& e : kTypes) {
    if (e.dtype == dtype) return e;
  }
  throw std::logic_error("no such dtype");
}

template <class T>
T at(const void* array, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(array) + index * static_cast<int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

}  // namespace

std::string_view name(DType dtype) { return entry(dtype).name; }

std::optional<DType> parse_dtype(std::string_view text) {
  for (const Entry& e : kTypes) {
    if (e.name == text) return e.dtype;
  }
  return std::nullopt;
}

std::string_view dtype_names() { return "f64, f32, tf32, f16, bf16, fp8, int8, int32, uint32"; }
int bytes_of(DType dtype) { return entry(dtype).bytes; }
bool is_integer(DType dtype) {
  return dtype == DType::int8 || dtype == DType::int32 || dtype == DType::uint32;
}
double unit_roundoff(DType dtype) { return entry(dtype).roundoff; }

float from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0x7f800000u : (exponent + 112) << 23;
  return std::bit_cast<float>(sign | wide | (mantissa << 13));
}

float from_fp8(uint8_t bits) {
  const uint32_t exponent = (bits >> 3) & 0xfu, mantissa = bits & 7u;
  float magnitude = static_cast<float>(mantissa) * 0x1p-9f;
  if (exponent > 0) magnitude = std::bit_cast<float>((exponent + 120) << 23 | mantissa << 20);
  if ((bits & 0x7fu) == 0x7fu) magnitude = std::numeric_limits<float>::quiet_NaN();
  return bits & 0x80u ? -magnitude : magnitude;
}

double load(DType dtype, const void* array, int64_t index) {
  switch (dtype) {
    case DType::f64: return at<double>(array, index);
    case DType::f32:
    case DType::tf32: return at<float>(array, index);
    case DType::f16: return from_f16(at<uint16_t>(array, index));
    case DType::bf16: return from_bf16(at<uint16_t>(array, index));
    case DType::int8: return at<int8_t>(array, index);
    case DType::int32: return at<int32_t>(array, index);
    case DType::uint32: return at<uint32_t>(array, index);
    case DType::fp8: return from_fp8(at<uint8_t>(array, index));
  }
  throw std::logic_error("no such dtype");
}

}  // namespace ridge
