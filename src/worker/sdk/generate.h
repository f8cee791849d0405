#pragma once

#include <cstddef>

#include "workload/tensor.h"

namespace ridge::sdk {

// A whole tensor as fill() of the generator (base/random.h) makes it, cut among `threads`.
void generate(const TensorSpec& spec, TensorKey key, int threads, std::byte* out);

}  // namespace ridge::sdk
