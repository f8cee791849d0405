#pragma once

#include <ggml.h>
#include <llama.h>

#include <string>

namespace ridge::llamacpp {

// Of the libraries loaded: "0.1.0-dev, ggml 0.20.0 of 4df29be4f". Its headers do not tell it, and
// neither number alone does: both stand still while the interface changes.
inline std::string versions() {
  return std::string(llama_version()) + ", ggml " + ggml_version() + " of " + ggml_commit();
}

}  // namespace ridge::llamacpp
