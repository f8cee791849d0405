#include "cuda.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace ridge::torch {
namespace {

// Of cuda.h, the driver's interface, which has not changed since CUDA 3.2.
constexpr int kNoDevice = 100;
constexpr int kL2CacheSize = 38, kCapabilityMajor = 75, kCapabilityMinor = 76;

class Driver {
 public:
  Driver() : library_(::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) {}
  bool found() const { return library_ != nullptr; }

  // The driver's own result, 0 being success; -1 where it has no such function.
  template <class... Args>
  int call(const char* name, Args... args) const {
    using Function = int (*)(Args...);
    auto* function = reinterpret_cast<Function>(::dlsym(library_, name));
    return function ? function(args...) : -1;
  }

  Gpu gpu(int ordinal) const {
    Gpu gpu;
    int device = 0;
    call("cuDeviceGet", &device, ordinal);
    char name[256] = "";
    call("cuDeviceGetName", static_cast<char*>(name), static_cast<int>(sizeof name) - 1, device);
    gpu.name = name;
    size_t bytes = 0;
    call("cuDeviceTotalMem_v2", &bytes, device);
    gpu.memory_bytes = static_cast<int64_t>(bytes);
    const auto attribute = [&](int which) {
      int value = 0;
      call("cuDeviceGetAttribute", &value, which, device);
      return value;
    };
    gpu.l2_bytes = attribute(kL2CacheSize);
    gpu.major = attribute(kCapabilityMajor);
    gpu.minor = attribute(kCapabilityMinor);
    return gpu;
  }

 private:
  void* library_;
};

}  // namespace

Cuda open_cuda() {
  Cuda cuda;
  const Driver driver;
  if (!driver.found()) return cuda;
  int count = 0, version = 0;
  const int code = driver.call("cuInit", 0u);
  if (code == kNoDevice) return cuda;
  if (code != 0) {
    cuda.why_not = fmt::format("the NVIDIA driver does not start (cuInit: {})", code);
    return cuda;
  }
  driver.call("cuDeviceGetCount", &count);
  driver.call("cuDriverGetVersion", &version);
  cuda.driver = fmt::format("{}.{}", version / 1000, version % 1000 / 10);
  if (count == 0) return cuda;
  // Global: its kernels register themselves with libtorch_cpu's dispatcher as it loads.
  if (!::dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_GLOBAL)) {
    const char* why = ::dlerror();
    cuda.why_not = fmt::format("libtorch_cuda.so cannot be opened: {}", why ? why : "unknown");
    return cuda;
  }
  for (int i = 0; i < count; ++i) cuda.gpus.push_back(driver.gpu(i));
  return cuda;
}

void hold_stream(double ns) {
  // at::cuda::sleep(int64_t cycles), which spins on one thread (ATen/cuda/Sleep.h).
  static const auto sleep =
      reinterpret_cast<void (*)(int64_t)>(::dlsym(RTLD_DEFAULT, "_ZN2at4cuda5sleepEl"));
  constexpr double kCyclesPerNs = 2;  // today's GPUs run at 1.4 to 2.6 GHz
  if (sleep && ns > 0) sleep(static_cast<int64_t>(ns * kCyclesPerNs));
}

}  // namespace ridge::torch
