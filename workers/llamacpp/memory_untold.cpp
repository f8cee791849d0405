// An installed llama.cpp does not bring llama-ext.h: only the model's size is told.
#include "memory_of.h"

namespace ridge::llamacpp {

std::vector<Held> memory_of(const llama_context* context) {
  return {{.where = "all buffers",
           .model = static_cast<int64_t>(llama_model_size(llama_get_model(context)))}};
}

}  // namespace ridge::llamacpp
