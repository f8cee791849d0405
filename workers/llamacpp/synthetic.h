#pragma once

#include <memory>

#include "made_file.h"
#include "workload/model/use.h"

namespace ridge::llamacpp {

// A model with random weights (model/weights.h) as a whole GGUF file, made by `threads`. Throws
// std::runtime_error where llama.cpp has no such model, or there is no room.
std::unique_ptr<MadeFile> synthetic_file(const ModelUse& use, uint64_t seed, int threads,
                                         Lies where = Lies::in_memory);

}  // namespace ridge::llamacpp
