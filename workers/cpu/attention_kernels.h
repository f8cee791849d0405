#pragma once

#include <cstdint>

#include "base/dtype.h"

// Row-wise parts of attention on one thread, in f32, on rows stored as f32, bf16 or f16; compiled
// for every vector extension like stream_kernels.h.
namespace ridge::cpu {

// row[first, last) becomes exp(scale·row) / its sum; the rest of its `count` elements 0. At least
// one element is seen. `room`: `count` floats of this thread's.
void softmax_row(DType dtype, void* row, int64_t first, int64_t last, int64_t count, float scale,
                 float* room);

// grad_p becomes scale · p · (grad_p - the sum of p·grad_p): from the gradients of probabilities
// those of the products that stand under the softmax.
void softmax_gradient_row(DType dtype, const void* p, void* grad_p, int64_t count, float scale);

}  // namespace ridge::cpu
