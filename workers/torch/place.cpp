#include "place.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>

namespace ridge::torch {

void Place::use(const Switches& switches) const {
  if (switches == open) return;
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(switches.tf32);
  const auto may = [&](const char* name) {
    return switches.backend.empty() || switches.backend == name;
  };
  context.setSDPUseFlash(may("flash"));
  context.setSDPUseMemEfficient(may("efficient"));
  context.setSDPUseCuDNN(may("cudnn"));
  context.setSDPUseMath(may("math"));
  open = switches;
}

void close_shortcuts() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
  context.setAllowFP16AccumulationCuBLAS(false);
  context.setAllowFP16ReductionCPU(false);
  context.setAllowFP16BF16ReductionMathSDP(false);
}

int64_t peak_bytes(const c10::Device& device, bool anew) {
  if (!device.is_cuda()) return -1;
  c10::DeviceAllocator* allocator = c10::getDeviceAllocator(device.type());
  if (!allocator->initialized()) return -1;
  if (anew) allocator->resetPeakStats(device.index());
  return allocator->getDeviceStats(device.index()).allocated_bytes[0].peak;
}

void give_back(const c10::Device& device) {
  if (!device.is_cuda()) return;
  c10::DeviceAllocator* allocator = c10::getDeviceAllocator(device.type());
  if (allocator->initialized()) allocator->emptyCache();
}

}  // namespace ridge::torch
