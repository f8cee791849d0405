#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ridge::torch {

struct Gpu {
  std::string name;
  int64_t memory_bytes = 0;
  int64_t l2_bytes = 0;
  int major = 0, minor = 0;  // compute capability
};

// NVIDIA's driver and PyTorch's CUDA half, opened at run time: a worker linked against either would
// not start on a machine without them.
struct Cuda {
  std::vector<Gpu> gpus;  // as PyTorch numbers them; empty: none to be used
  std::string why_not;    // where there is a driver but no use of it; empty where there is none
  std::string driver;     // the CUDA version that the driver serves: "13.0"
};

Cuda open_cuda();

// Keeps the current stream of the current GPU waiting for about that long, while what is submitted
// meanwhile queues up. Does nothing where this PyTorch has no kernel for it.
void hold_stream(double ns);

}  // namespace ridge::torch
