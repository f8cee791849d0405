#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "flash_kernels.h"

// Fused attention for a few queries a key head, as a decode step has, on one thread: reading keys
// and values once is what it costs, so they are not packed, vectors run along head_dim, and the
// keys are cut among threads. What a cut leaves is one partial a row: the weighted sum of values,
// then the largest score and the sum of weights.
namespace ridge::cpu {

struct FlashRows {
  int64_t (*partial_floats)(int64_t head_dim);  // of one row
  // `rows` rows of q, of which row r is query r % seq_q, against the keys [begin, end).
  void (*attend)(const FlashHead& head, int64_t rows, int64_t begin, int64_t end, float* partials);
  // The output of those rows from the partials of `cuts` calls, one call's after the other.
  void (*combine)(const FlashHead& head, int64_t rows, int64_t cuts, const float* partials);
};

// For f32, f16 and bf16; null for others, and where Highway has no vector extension.
const FlashRows* flash_rows(DType dtype);

}  // namespace ridge::cpu
