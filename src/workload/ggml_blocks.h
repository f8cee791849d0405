#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/random.h"

namespace ridge {

// The element formats of ggml, which GGUF files hold (ggml-common.h and ggml-quants.c of ggml-org/
// ggml). A matrix lies row after row; a row is cut into blocks of some consecutive elements, each
// with its own scales. All numbers are little-endian; d and m are f16. An enumerator's value is
// ggml's number of the type.
//
//            elements  bytes  layout of a block, and the value of element i with code q
//   q4_0        32      18    d, 16 bytes of codes: byte j holds elements j (low nibble) and j +
//   16;
//                             d·(q - 8)
//   q4_1        32      20    d, m, codes as q4_0; d·q + m
//   q5_0, q5_1  32  22, 24    as q4_0 and q4_1, with a word of 32 fifth bits before the codes;
//                             d·(q - 16), d·q + m
//   q8_0        32      34    d, 32 signed bytes; d·q
//   q4_k       256     144    d, dmin, 12 bytes of eight 6-bit scales s and eight 6-bit minima m
//                             (scale_min() in the source), 128 bytes of codes: bytes 32c to 32c +
//                             31 hold elements 64c + j (low nibble) and 64c + 32 + j; d·s·q -
//                             dmin·m, s and m of each 32 elements
//   q5_k       256     176    as q4_k, with 32 bytes of fifth bits after the scales: bit 2c of byte
//   j
//                             is element 64c + j's, bit 2c + 1 that of 64c + 32 + j
//   q6_k       256     210    128 bytes of low nibbles, 64 bytes of high pairs, 16 signed bytes of
//                             scales s, d; in each half of 128 elements byte j of 64 low ones holds
//                             elements j and j + 64, byte j of 32 high ones elements j, j + 32,
//                             j + 64, j + 96 from the low bits up; d·s·(q - 32), s of each 16
//   f32 f16 bf16 f64 i8 i16 i32 i64  1   plain elements
// The rest (q8_1 and q8_k are ggml's own intermediates; iq, tq, mxfp4, nvfp4, q1_0) is known by
// size.
enum class BlockFormat : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41
};

std::string_view name(BlockFormat format);                             // "q4_k"
std::optional<BlockFormat> parse_block_format(std::string_view text);  // "q4_k", "Q4_K"
std::optional<BlockFormat> block_format_of(uint32_t ggml_type);        // none: unknown or withdrawn
int64_t block_elements(BlockFormat format);
int64_t block_bytes(BlockFormat format);
// Bytes of `elements` consecutive ones, a multiple of block_elements().
int64_t bytes_of(BlockFormat format, int64_t elements);

// `blocks` blocks as float64, each element exactly what the format means (ggml rounds to f32). For
// f32, f16, bf16, f64, integers, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k and q6_k; false for the
// rest, and nothing is written.
bool dequantise(BlockFormat format, const void* source, int64_t blocks, double* out);
bool can_dequantise(BlockFormat format);

// Random blocks, for f32, f16, bf16, q8_0, q4_0, q5_0, q5_1, q4_k, q5_k and q6_k: block number
// `index` of a tensor (row·k/block_elements + its place in the row) follows from (key, index)
// alone. Elements have mean 0 and the standard deviation scale/√3, that of plain elements uniform
// in [-scale, scale); a plain format is filled as random.h says. Other formats throw
// std::logic_error.
//
// Words of block b: h(b·W) to h(b·W + W - 1) of random.h, W = block bytes / 4 rounded up; their
// bytes (the lowest first) are the block's, without the last ones that do not fit; then
//   d     u the 16 bits there: f16(unit·(49152 + (u & 32767))), negative where u has its top bit
//         (not q4_k and q5_k, whose d is positive): 0.75 to 1.25 of the mean; unit: see
//         block_unit()
//   q4_k  w0, w1, w2 the three words of scales: the top bits of all scales are set (w0 |=
//         0xa0a0a0a0), so that they are 32 to 63; a minimum has its scale's upper three bits (w1 =
//         w0 & 0xf8f8f8f8 | w1 & 0x07070707, w2 = w2 & 0x7f7f7f7f | (w2 & 0x08080808) << 4); dmin =
//         f16(7.5·d), the mean of the codes
//   q5_k  as q4_k, with dmin = f16(15.5·d)
//   q5_1  m = f16(-15.5·d)
//   q6_k  bit 6 of a scale becomes the opposite of bit 7: scales of -128 to -65 and 64 to 127
bool can_generate(BlockFormat format);
void fill_blocks(BlockFormat format, TensorKey key, double scale, int64_t first, int64_t count,
                 void* out);
// scale/√3 / s / 65536 in f32, s the standard deviation of elements whose d is drawn with unit
// 2^-16. Below a `scale` of about 0.02 (q6_k) d is a subnormal f16 and loses digits.
float block_unit(BlockFormat format, double scale);

}  // namespace ridge
