#include "blas.h"

#include <dlfcn.h>

namespace ridge::mlx_worker {
namespace {

// Where a function of the process lies: the loaded file, and its start.
Dl_info place_of(void* function) {
  Dl_info info{};
  if (function) dladdr(function, &info);
  return info;
}

}  // namespace

Blas find_blas() {
  Blas blas;
  const Dl_info product = place_of(dlsym(RTLD_DEFAULT, "cblas_sgemm"));
  if (!product.dli_fname) return {.about = "a BLAS inside MLX"};
  blas.file = product.dli_fname;
  blas.file = blas.file.substr(blas.file.rfind('/') + 1);
  // Only what lies in the same library steers the same library.
  const auto of_it = [&](const char* name) {
    void* function = dlsym(RTLD_DEFAULT, name);
    return place_of(function).dli_fbase == product.dli_fbase ? function : nullptr;
  };
  blas.set_threads = reinterpret_cast<void (*)(int)>(of_it("openblas_set_num_threads"));
  if (const auto config = reinterpret_cast<const char* (*)()>(of_it("openblas_get_config"))) {
    blas.about = config();
  } else if (blas.file.starts_with("libblas")) {
    blas.about = "the reference BLAS, which is slow";
  }
  return blas;
}

}  // namespace ridge::mlx_worker
