#pragma once

#include <llama.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ridge::llamacpp {

// Bytes that a context and its model take, for each kind of buffer ("CPU_REPACK", "CUDA0").
struct Held {
  std::string where;
  int64_t model = 0, cache = 0, compute = 0;
};
std::vector<Held> memory_of(const llama_context* context);

}  // namespace ridge::llamacpp
