#pragma once

#include <functional>

#include "workload/kinds/attention.h"

namespace ridge::bench {

// One call of PyTorch's scaled_dot_product_attention on tensors that lie at q, k and v, on
// `threads` threads. In a file of its own, as PyTorch's headers bring an fmt of their own.
std::function<void()> torch_attention(const Attention& work, void* q, void* k, void* v,
                                      int threads);

}  // namespace ridge::bench
