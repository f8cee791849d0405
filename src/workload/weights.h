#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "workload/choices.h"
#include "workload/tensor.h"

namespace ridge {

// Formats of quantised weights. A matrix [n, k], each row the weights of one output, is cut along k
// into groups; an element is scale·code + bias of its group. The codes are generated as codes, so
// that every worker computes with the same blocks; the reference dequantises them.
//
//   q4_g64, q8_g64  MLX's affine quantisation: codes without a sign, of 4 or 8 bits, in 32-bit
//                   words, the first of a word in its low bits; groups of 64, a scale and a bias in
//                   the dtype of A
//   q8_0, q4_0, q4_k, q6_k  blocks of ggml (workload/ggml_blocks.h); A and C are f32
enum class WeightFormat { q4_g64, q8_g64, q8_0, q4_0, q4_k, q6_k };

inline constexpr std::string_view kWeightFormats[] = {"q4_g64", "q8_g64", "q8_0",
                                                      "q4_0",   "q4_k",   "q6_k"};
inline Choices choices(WeightFormat) { return {kWeightFormats, false}; }

struct WeightLayout {
  int bits = 0;       // of a code
  int64_t group = 0;  // elements that share a scale; divides k
};
WeightLayout layout_of(WeightFormat format);
std::optional<BlockFormat> ggml_format(WeightFormat format);  // none: MLX's

// What stands for the matrix [n, k]. MLX: `name` of uint32 words [n, k·bits/32], `name`_scale and
// `name`_bias [n, k/group] of `dtype`. ggml: `name` alone, the bytes of blocks [n, bytes of a row].
// Elements are as large as plain ones (uniform in [-1, 1)): a variance of 1/3.
std::vector<TensorSpec> weight_tensors(WeightFormat format, std::string_view name, DType dtype,
                                       int64_t n, int64_t k);

// A row of the matrix as float64.
struct WeightRow {
  std::vector<double> values;
  // What an error multiplies. MLX: |scale·code| + |bias|, which rounds when a worker dequantises.
  // ggml: |element|, or |scale·code| before its offset is taken off where that is more: kernels
  // multiply rounded activations by codes, and the offset by the sum of activations as they are.
  std::vector<double> parts;
};
WeightRow weight_row(WeightFormat format, const std::vector<TensorSpec>& tensors,
                     const InputSource& inputs, int64_t row);

}  // namespace ridge
