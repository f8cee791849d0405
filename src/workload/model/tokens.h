#pragma once

#include <string_view>

#include "workload/model/config.h"
#include "workload/tensor.h"

namespace ridge {

// The token at `position` of `sequence`, uniform over the vocabulary: what a cache of some depth
// holds, a prompt, and what is generated after it follow each other in one stream of positions.
// Salted, so that answers of one request do not serve another.
inline int32_t token_at(const ModelConfig& model, const InputSource& inputs, int64_t sequence,
                        int64_t position) {
  const uint64_t bits = random_bits(inputs.key("tokens"), (sequence << 32) | position);
  return static_cast<int32_t>((bits * static_cast<uint64_t>(model.vocab_size)) >> 32);
}

// Weights do not change with the salt: filling a model anew for every request would take minutes.
inline TensorKey weight_key(const InputSource& inputs, std::string_view tensor) {
  return tensor_key(inputs.seed, 0, 0, tensor);
}

}  // namespace ridge
