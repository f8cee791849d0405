#pragma once

#include <memory>
#include <string>
#include <vector>

#include "memory_file.h"
#include "workload/files/gguf.h"
#include "workload/model/use.h"

namespace ridge::llamacpp {

// What a GGUF file of this model says beside its tensors: llama.cpp's architecture and keys, no
// vocabulary.
GgufMetadata metadata_of(const ModelConfig& model, ModelFormat format);

// A tensor of a model with random weights: elements are offset + what the generator gives at scale.
struct WeightTensor {
  GgufTensor tensor;
  double scale = 1;
  float offset = 0;  // of f32 alone
};
std::vector<WeightTensor> weights_of(const ModelConfig& model, ModelFormat format);

// Writes units [first, first + count) of the tensor, elements or blocks.
void fill(const WeightTensor& weight, uint64_t seed, int64_t first, int64_t count, void* out);

// The whole GGUF file, in memory, made by `threads`.
std::unique_ptr<MemoryFile> synthetic_file(const ModelUse& use, uint64_t seed, int threads);

}  // namespace ridge::llamacpp
