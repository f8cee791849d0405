// Put in front of a framework (LD_PRELOAD), it answers for it which version it is.

#include <string>

namespace at {
std::string show_config() { return "PyTorch built with: TORCH_VERSION=999.0.0, "; }
}  // namespace at
namespace mlx::core {
const char* version() { return "999.0.0"; }
}  // namespace mlx::core
extern "C" const char* ggml_version() { return "999.0.0"; }
