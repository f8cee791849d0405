#pragma once

#include <string>

namespace ridge::mlx_worker {

// The library that MLX's products of f32 and f64 end up in on a CPU, as the loader resolved it in
// this process: not the one that was meant.
struct Blas {
  std::string file;                    // "libopenblas.so.0"; empty: none is to be seen
  std::string about;                   // what OpenBLAS says of itself, else what is known
  void (*set_threads)(int) = nullptr;  // OpenBLAS's; none: one thread
};

Blas find_blas();

}  // namespace ridge::mlx_worker
