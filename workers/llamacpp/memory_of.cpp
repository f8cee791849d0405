#include "memory_of.h"

#include <llama-ext.h>

namespace ridge::llamacpp {

std::vector<Held> memory_of(const llama_context* context) {
  std::vector<Held> all;
  for (const auto& [type, bytes] : llama_get_memory_breakdown(context)) {
    if (bytes.total() == 0) continue;
    all.push_back({.where = ggml_backend_buft_name(type),
                   .model = static_cast<int64_t>(bytes.model),
                   .cache = static_cast<int64_t>(bytes.context),
                   .compute = static_cast<int64_t>(bytes.compute)});
  }
  return all;
}

}  // namespace ridge::llamacpp
