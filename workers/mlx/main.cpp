#include <fmt/format.h>
#include <mlx/version.h>

#include <cstdlib>
#include <string_view>

#include "mlx_worker.h"

// Started under a name that ends in "tf32" it computes f32 products in TF32, else in true f32. MLX
// reads the switch once, at the first product.
int main(int argc, char** argv) {
  // A developer's build calls itself "0.33.0.dev20261101+0a1b2c": its header has the numbers alone.
  const std::string_view loaded = mlx::core::version();
  const auto numbers = loaded.substr(0, loaded.find(".dev"));
  const auto compiled =
      fmt::format("{}.{}.{}", MLX_VERSION_MAJOR, MLX_VERSION_MINOR, MLX_VERSION_PATCH);
  if (const auto same = ridge::sdk::same_version("MLX", compiled, numbers); !same) {
    return ridge::sdk::refuse(argc, argv, same.error().message);
  }
  const bool tf32 = std::string_view(argc > 0 ? argv[0] : "").ends_with("tf32");
  setenv("MLX_ENABLE_TF32", tf32 ? "1" : "0", 1);
  ridge::mlx_worker::MlxWorker worker(tf32);
  return ridge::sdk::serve(argc, argv, worker);
}
