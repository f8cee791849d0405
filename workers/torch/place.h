#pragma once

#include <c10/core/Device.h>

#include <string>

#include "base/dtype.h"
#include "cuda.h"
#include "host.h"
#include "worker/sdk/arena.h"

namespace ridge::torch {

// Which of PyTorch's numeric shortcuts are open, and which attention kernels it may choose. All
// else that trades precision for speed is closed for good by close_shortcuts().
struct Switches {
  bool tf32 = false;
  std::string backend;  // of Settings::backend; empty: PyTorch's choice

  bool operator==(const Switches&) const = default;
};

// Where an op runs, and the state of this process that all ops there share.
struct Place {
  c10::Device device;
  Host& host;
  sdk::Arena* arena;  // of operands on the processor
  const Gpu* gpu;     // null elsewhere
  Switches& open;     // as they stand now

  bool on_cpu() const { return device.is_cpu(); }
  bool on_cuda() const { return device.is_cuda(); }
  void use(const Switches& switches) const;  // costs nothing while they stay the same
};

// cuBLAS sums f16 and bf16 products in f32, cuDNN's f32 convolutions are f32.
void close_shortcuts();

// Bytes of the device's memory that PyTorch's allocator has handed out at most, since the last
// call with `anew`; negative: not known.
int64_t peak_bytes(const c10::Device& device, bool anew);
// Gives back what PyTorch's allocator keeps for later.
void give_back(const c10::Device& device);

}  // namespace ridge::torch
