#pragma once

#include <memory>

#include "memory_file.h"
#include "workload/model/use.h"

namespace ridge::llamacpp {

// A model with random weights (model/weights.h) as a whole GGUF file, in memory, made by `threads`.
// Throws std::runtime_error where llama.cpp has no such model.
std::unique_ptr<MemoryFile> synthetic_file(const ModelUse& use, uint64_t seed, int threads);

}  // namespace ridge::llamacpp
