#include "workload/ggml_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/dtype.h"

namespace ridge {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are little-endian");

struct Entry {
  BlockFormat format;
  std::string_view name;
  int elements, bytes;
};

constexpr Entry kFormats[] = {
    {BlockFormat::f32, "f32", 1, 4},
    {BlockFormat::f16, "f16", 1, 2},
    {BlockFormat::q4_0, "q4_0", 32, 18},
    {BlockFormat::q4_1, "q4_1", 32, 20},
    {BlockFormat::q5_0, "q5_0", 32, 22},
    {BlockFormat::q5_1, "q5_1", 32, 24},
    {BlockFormat::q8_0, "q8_0", 32, 34},
    {BlockFormat::q8_1, "q8_1", 32, 36},
    {BlockFormat::q2_k, "q2_k", 256, 84},
    {BlockFormat::q3_k, "q3_k", 256, 110},
    {BlockFormat::q4_k, "q4_k", 256, 144},
    {BlockFormat::q5_k, "q5_k", 256, 176},
    {BlockFormat::q6_k, "q6_k", 256, 210},
    {BlockFormat::q8_k, "q8_k", 256, 292},
    {BlockFormat::iq2_xxs, "iq2_xxs", 256, 66},
    {BlockFormat::iq2_xs, "iq2_xs", 256, 74},
    {BlockFormat::iq3_xxs, "iq3_xxs", 256, 98},
    {BlockFormat::iq1_s, "iq1_s", 256, 50},
    {BlockFormat::iq4_nl, "iq4_nl", 32, 18},
    {BlockFormat::iq3_s, "iq3_s", 256, 110},
    {BlockFormat::iq2_s, "iq2_s", 256, 82},
    {BlockFormat::iq4_xs, "iq4_xs", 256, 136},
    {BlockFormat::i8, "i8", 1, 1},
    {BlockFormat::i16, "i16", 1, 2},
    {BlockFormat::i32, "i32", 1, 4},
    {BlockFormat::i64, "i64", 1, 8},
    {BlockFormat::f64, "f64", 1, 8},
    {BlockFormat::iq1_m, "iq1_m", 256, 56},
    {BlockFormat::bf16, "bf16", 1, 2},
    {BlockFormat::tq1_0, "tq1_0", 256, 54},
    {BlockFormat::tq2_0, "tq2_0", 256, 66},
    {BlockFormat::mxfp4, "mxfp4", 32, 17},
    {BlockFormat::nvfp4, "nvfp4", 64, 36},
    {BlockFormat::q1_0, "q1_0", 128, 18},
};

const Entry& entry(BlockFormat format) {
  for (const Entry& e : kFormats) {
    if (e.format == format) return e;
  }
  throw std::logic_error("no such block format");
}

template <class T>
T at(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}
double half(const uint8_t* bytes) { return from_f16(at<uint16_t>(bytes)); }

// 32 codes of 4 bits, with fifth bits where `fifth` is not 0 bits: d·(q - offset) + m.
void nibbles(const uint8_t* codes, uint32_t fifth, double d, double m, int offset, double* out) {
  for (int j = 0; j < 16; ++j) {
    const int low = codes[j] & 15, high = codes[j] >> 4;
    out[j] = d * (low + static_cast<int>(fifth >> j & 1) * 16 - offset) + m;
    out[j + 16] = d * (high + static_cast<int>(fifth >> (j + 16) & 1) * 16 - offset) + m;
  }
}

struct ScaleMin {
  int scale, min;
};
// Scale and minimum number j (0 to 7) of q4_k and q5_k: four bytes of scales and four of minima
// hold the first four in their low 6 bits, and the upper two bits of the last four above them; the
// last four bytes hold their low four bits, scale before minimum.
ScaleMin scale_min(const uint8_t* bytes, int j) {
  if (j < 4) return {bytes[j] & 63, bytes[j + 4] & 63};
  return {(bytes[j + 4] & 15) | (bytes[j - 4] >> 6 << 4), bytes[j + 4] >> 4 | (bytes[j] >> 6 << 4)};
}

// q4_k, and q5_k where there are `fifth` bits.
void superblock(const uint8_t* block, const uint8_t* fifth, const uint8_t* codes, double* out) {
  const double d = half(block), dmin = half(block + 2);
  for (int j = 0; j < 8; ++j) {
    const auto [scale, min] = scale_min(block + 4, j);
    for (int i = 0; i < 32; ++i) {
      int q = codes[j / 2 * 32 + i] >> (j % 2 * 4) & 15;
      if (fifth) q += (fifth[i] >> j & 1) * 16;
      out[j * 32 + i] = d * scale * q - dmin * min;
    }
  }
}

void q6_k(const uint8_t* block, double* out) {
  const double d = half(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int side = i / 128, j = i % 128;
    const int low = block[side * 64 + j % 64] >> (j / 64 * 4) & 15;
    const int high = block[128 + side * 32 + j % 32] >> (j / 32 * 2) & 3;
    out[i] = d * static_cast<int8_t>(block[192 + i / 16]) * ((low | high << 4) - 32);
  }
}

// The plain formats that base/dtype.h knows as well.
std::optional<DType> dtype_of(BlockFormat format) {
  switch (format) {
    case BlockFormat::f32: return DType::f32;
    case BlockFormat::f16: return DType::f16;
    case BlockFormat::bf16: return DType::bf16;
    case BlockFormat::f64: return DType::f64;
    case BlockFormat::i8: return DType::int8;
    case BlockFormat::i32: return DType::int32;
    default: return std::nullopt;
  }
}

bool dequantise_one(BlockFormat format, const uint8_t* block, double* out) {
  switch (format) {
    case BlockFormat::i16: *out = at<int16_t>(block); return true;
    case BlockFormat::i64: *out = static_cast<double>(at<int64_t>(block)); return true;
    case BlockFormat::q4_0: nibbles(block + 2, 0, half(block), 0, 8, out); return true;
    case BlockFormat::q4_1:
      nibbles(block + 4, 0, half(block), half(block + 2), 0, out);
      return true;
    case BlockFormat::q5_0:
      nibbles(block + 6, at<uint32_t>(block + 2), half(block), 0, 16, out);
      return true;
    case BlockFormat::q5_1:
      nibbles(block + 8, at<uint32_t>(block + 4), half(block), half(block + 2), 0, out);
      return true;
    case BlockFormat::q8_0:
      for (int j = 0; j < 32; ++j) out[j] = half(block) * static_cast<int8_t>(block[2 + j]);
      return true;
    case BlockFormat::q4_k: superblock(block, nullptr, block + 16, out); return true;
    case BlockFormat::q5_k: superblock(block, block + 16, block + 48, out); return true;
    case BlockFormat::q6_k: q6_k(block, out); return true;
    default: return false;
  }
}

// The mean square of an element whose d is 1, for codes and scales as fill_blocks draws them.
//   q8_0  q of -128 to 127                 q4_0  q - 8 of -8 to 7
//   q5_0  q - 16 of -16 to 15              q5_1  q - 15.5 of -15.5 to 15.5
//   q4_k  E[s²]·Var q + 7.5²·E[(s - m)²], s of 32 to 63, s - m a difference of two of 0 to 7; q5_k
//         the same with codes of 5 bits, their mean 15.5
//   q6_k  E[s²]·E[(q - 32)²]
double mean_square(BlockFormat format) {
  switch (format) {
    case BlockFormat::q8_0: return 5461.5;
    case BlockFormat::q4_0: return 21.5;
    case BlockFormat::q5_0: return 85.5;
    case BlockFormat::q5_1: return 85.25;
    case BlockFormat::q4_k: return 2341.5 * 21.25 + 56.25 * 10.5;
    case BlockFormat::q5_k: return 2341.5 * 85.25 + 240.25 * 10.5;
    case BlockFormat::q6_k: return 9557.5 * 341.5;
    default: break;
  }
  throw std::logic_error("no random blocks of this format");
}
constexpr double kSquareOfD = 1.0208;  // E[r²], r uniform in 0.75 to 1.25

template <class T>
void put(uint8_t* bytes, T value) {
  std::memcpy(bytes, &value, sizeof(T));
}

// The 16 bits at `place` become d, which is returned.
float put_d(uint8_t* place, float unit, bool is_signed) {
  const auto u = at<uint16_t>(place);
  const uint16_t d = to_f16(unit * static_cast<float>(49152 + (u & 32767)));
  put(place, static_cast<uint16_t>(is_signed ? d | (u & 0x8000) : d));
  return from_f16(at<uint16_t>(place));
}

template <BlockFormat format>
void put_scales(uint8_t* block, float unit) {
  if constexpr (format == BlockFormat::q4_k || format == BlockFormat::q5_k) {
    constexpr float mean = format == BlockFormat::q4_k ? 7.5f : 15.5f;
    put(block + 2, to_f16(mean * put_d(block, unit, false)));
    const uint32_t w0 = at<uint32_t>(block + 4) | 0xa0a0a0a0u;
    const auto w1 = at<uint32_t>(block + 8), w2 = at<uint32_t>(block + 12);
    put(block + 4, w0);
    put(block + 8, (w0 & 0xf8f8f8f8u) | (w1 & 0x07070707u));
    put(block + 12, (w2 & 0x7f7f7f7fu) | (w2 & 0x08080808u) << 4);
  } else if constexpr (format == BlockFormat::q5_1) {
    const float d = put_d(block, unit, true);
    put(block + 2, to_f16(-15.5f * d));
  } else if constexpr (format == BlockFormat::q6_k) {
    for (uint8_t* scales : {block + 192, block + 200}) {
      const auto s = at<uint64_t>(scales);
      put(scales, (s & ~0x4040404040404040u) | (~s >> 1 & 0x4040404040404040u));
    }
    put_d(block + 208, unit, true);
  } else {
    put_d(block, unit, true);
  }
}

// Words are made by the hundred, by the loops of random.h, and copied block by block.
template <BlockFormat format, size_t bytes>
void fill_chunks(TensorKey key, float unit, int64_t first, int64_t count, uint8_t* out) {
  constexpr size_t words = (bytes + 3) / 4;
  constexpr int64_t most = 8192 / (4 * words);
  std::array<uint32_t, words * most> chunk;
  while (count > 0) {
    const int64_t blocks = std::min(most, count);
    fill(key, DType::uint32, 1, first * static_cast<int64_t>(words),
         blocks * static_cast<int64_t>(words), chunk.data());
    for (int64_t b = 0; b < blocks; ++b, out += bytes) {
      std::memcpy(out, chunk.data() + static_cast<size_t>(b) * words, bytes);
      put_scales<format>(out, unit);
    }
    first += blocks;
    count -= blocks;
  }
}

}  // namespace

std::string_view name(BlockFormat format) { return entry(format).name; }

std::optional<BlockFormat> parse_block_format(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const Entry& e : kFormats) {
    if (e.name == lower) return e.format;
  }
  return std::nullopt;
}

std::optional<BlockFormat> block_format_of(uint32_t ggml_type) {
  for (const Entry& e : kFormats) {
    if (static_cast<uint32_t>(e.format) == ggml_type) return e.format;
  }
  return std::nullopt;
}

int64_t block_elements(BlockFormat format) { return entry(format).elements; }
int64_t block_bytes(BlockFormat format) { return entry(format).bytes; }
int64_t bytes_of(BlockFormat format, int64_t elements) {
  return elements / entry(format).elements * entry(format).bytes;
}

bool can_dequantise(BlockFormat format) {
  constexpr uint8_t zeros[256] = {};
  double out[256];
  return dtype_of(format) || dequantise_one(format, zeros, out);
}

bool dequantise(BlockFormat format, const void* source, int64_t blocks, double* out) {
  const auto* bytes = static_cast<const uint8_t*>(source);
  const auto [_, name, elements, size] = entry(format);
  for (int64_t b = 0; b < blocks; ++b, bytes += size, out += elements) {
    if (const auto dtype = dtype_of(format)) {
      *out = load(*dtype, bytes, 0);
    } else if (!dequantise_one(format, bytes, out)) {
      return false;
    }
  }
  return can_dequantise(format);
}

bool can_generate(BlockFormat format) {
  switch (format) {
    case BlockFormat::f32:
    case BlockFormat::f16:
    case BlockFormat::bf16:
    case BlockFormat::q8_0:
    case BlockFormat::q4_0:
    case BlockFormat::q5_0:
    case BlockFormat::q5_1:
    case BlockFormat::q4_k:
    case BlockFormat::q5_k:
    case BlockFormat::q6_k: return true;
    default: return false;
  }
}

float block_unit(BlockFormat format, double scale) {
  const double mean = scale / std::sqrt(3 * mean_square(format) * kSquareOfD);
  return static_cast<float>(mean * 0x1p-16);
}

void fill_blocks(BlockFormat format, TensorKey key, double scale, int64_t first, int64_t count,
                 void* out) {
  if (!can_generate(format)) throw std::logic_error("no random blocks of this format");
  if (const auto dtype = dtype_of(format)) return fill(key, *dtype, scale, first, count, out);
  const float unit = block_unit(format, scale);
  auto* bytes = static_cast<uint8_t*>(out);
  switch (format) {
    case BlockFormat::q8_0:
      return fill_chunks<BlockFormat::q8_0, 34>(key, unit, first, count, bytes);
    case BlockFormat::q4_0:
      return fill_chunks<BlockFormat::q4_0, 18>(key, unit, first, count, bytes);
    case BlockFormat::q5_0:
      return fill_chunks<BlockFormat::q5_0, 22>(key, unit, first, count, bytes);
    case BlockFormat::q5_1:
      return fill_chunks<BlockFormat::q5_1, 24>(key, unit, first, count, bytes);
    case BlockFormat::q4_k:
      return fill_chunks<BlockFormat::q4_k, 144>(key, unit, first, count, bytes);
    case BlockFormat::q5_k:
      return fill_chunks<BlockFormat::q5_k, 176>(key, unit, first, count, bytes);
    default: return fill_chunks<BlockFormat::q6_k, 210>(key, unit, first, count, bytes);
  }
}

}  // namespace ridge
