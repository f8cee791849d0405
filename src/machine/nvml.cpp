#include "machine/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

namespace ridge::machine {
namespace {

// Own prototypes, after the NVML API reference: nvml.h is not on every machine that builds this.
using Device = struct DeviceTag*;
using Status = int;
constexpr Status kSuccess = 0;
constexpr Status kInsufficientSize = 7;
struct MemoryInfo {
  unsigned long long total, free, used;
};
constexpr unsigned kClockSm = 1, kClockMemory = 2, kTemperatureGpu = 0;
constexpr size_t kText = 96;
constexpr unsigned kMostDevices = 256;

struct Close {
  void operator()(void* library) const { ::dlclose(library); }
};

class Nvml {
 public:
  explicit Nvml(const std::string& name) : library_(::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!library_) {
      const char* why = ::dlerror();
      reason_ = fmt::format("no NVIDIA driver: {}", why ? why : name);
      return;
    }
    const auto init = find<Status (*)()>("nvmlInit_v2");
    const Status status = init ? init() : -1;
    started_ = status == kSuccess;
    if (!started_) reason_ = fmt::format("nvmlInit_v2: {}", init ? explain(status) : "is missing");
  }
  ~Nvml() {
    const auto shutdown = started_ ? find<Status (*)()>("nvmlShutdown") : nullptr;
    if (shutdown) shutdown();
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  bool started() const { return started_; }
  const std::string& reason() const { return reason_; }

  template <class Function>
  Function find(const char* symbol) const {
    return reinterpret_cast<Function>(::dlsym(library_.get(), symbol));
  }

  std::string explain(Status status) const {
    const auto text = find<const char* (*)(Status)>("nvmlErrorString");
    const char* told = text ? text(status) : nullptr;
    return told ? told : fmt::format("error {}", status);
  }

  // Calls symbol(before..., &out); the reason says what the driver answered instead.
  template <class Out, class... Before>
  Known<Out> get(const char* symbol, Before... before) const {
    const auto function = find<Status (*)(Before..., Out*)>(symbol);
    if (!function) return Known<Out>::unknown(fmt::format("this driver has no {}", symbol));
    Out out{};
    const Status status = function(before..., &out);
    if (status != kSuccess) return Known<Out>::unknown(explain(status));
    return out;
  }

  // The same for symbol(before..., &first, &second).
  template <class Out, class... Before>
  Known<std::pair<Out, Out>> get_pair(const char* symbol, Before... before) const {
    const auto function = find<Status (*)(Before..., Out*, Out*)>(symbol);
    if (!function) {
      return Known<std::pair<Out, Out>>::unknown(fmt::format("this driver has no {}", symbol));
    }
    std::pair<Out, Out> out{};
    const Status status = function(before..., &out.first, &out.second);
    if (status != kSuccess) return Known<std::pair<Out, Out>>::unknown(explain(status));
    return out;
  }

  template <class... Before>
  Known<std::string> text(const char* symbol, Before... before) const {
    const auto function = find<Status (*)(Before..., char*, unsigned)>(symbol);
    if (!function) return Known<std::string>::unknown(fmt::format("this driver has no {}", symbol));
    std::array<char, kText> out{};
    const Status status = function(before..., out.data(), static_cast<unsigned>(out.size() - 1));
    if (status != kSuccess) return Known<std::string>::unknown(explain(status));
    return std::string(out.data());
  }

 private:
  std::unique_ptr<void, Close> library_;
  bool started_ = false;
  std::string reason_;
};

template <class Out, class In, class Function>
Known<Out> map(const Known<In>& in, Function function) {
  if (!in) return Known<Out>::unknown(in.reason);
  return static_cast<Out>(function(*in));
}

Known<int64_t> whole(const Known<unsigned>& in) {
  return map<int64_t>(in, [](unsigned v) { return v; });
}
Known<double> hertz(const Known<unsigned>& mhz) {
  return map<double>(mhz, [](unsigned v) { return v * 1e6; });
}
Known<double> watts(const Known<unsigned>& milliwatts) {
  return map<double>(milliwatts, [](unsigned v) { return v / 1e3; });
}
Known<bool> first_is_on(const Known<std::pair<unsigned, unsigned>>& modes) {
  return map<bool>(modes, [](const auto& v) { return v.first == 1; });
}

// FP32 cores of a multiprocessor: CUDA C++ Programming Guide, "Compute Capabilities", arithmetic
// throughput. 0: not in the table.
int64_t cores_per_multiprocessor(int major, int minor) {
  switch (major * 10 + minor) {
    case 60:
    case 70:
    case 72:
    case 75:
    case 80: return 64;
    case 61:
    case 62:
    case 86:
    case 87:
    case 89:
    case 90:
    case 100:
    case 103:
    case 120: return 128;
    default: return 0;
  }
}

struct Throttle {
  unsigned long long bit;
  std::string_view name;
};
constexpr std::array<Throttle, 9> kThrottles = {{
    {0x001, "idle"},
    {0x002, "application clocks"},
    {0x004, "software power cap"},
    {0x008, "hardware slowdown"},
    {0x010, "sync boost"},
    {0x020, "software thermal slowdown"},
    {0x040, "hardware thermal slowdown"},
    {0x080, "hardware power brake"},
    {0x100, "display clocks"},
}};

void read_throttle(const Nvml& nvml, Device device, NvidiaDevice& out) {
  // Renamed in 2023 (driver 535); older drivers know the first name alone.
  auto mask = nvml.get<unsigned long long>("nvmlDeviceGetCurrentClocksThrottleReasons", device);
  if (!mask) {
    mask = nvml.get<unsigned long long>("nvmlDeviceGetCurrentClocksEventReasons", device);
  }
  if (!mask) {
    out.throttle_reason = mask.reason;
    return;
  }
  unsigned long long rest = *mask;
  for (const Throttle& throttle : kThrottles) {
    if (rest & throttle.bit) out.throttle_reasons.emplace_back(throttle.name);
    rest &= ~throttle.bit;
  }
  if (rest != 0) out.throttle_reasons.push_back(fmt::format("unnamed {:#x}", rest));
}

void read_cores(const Nvml& nvml, Device device, NvidiaDevice& out) {
  out.cores = whole(nvml.get<unsigned>("nvmlDeviceGetNumGpuCores", device));
  const auto capability = nvml.get_pair<int>("nvmlDeviceGetCudaComputeCapability", device);
  if (!capability) {
    out.compute_capability = Known<std::string>::unknown(capability.reason);
    out.multiprocessors = Known<int64_t>::unknown(capability.reason);
    return;
  }
  out.compute_capability = fmt::format("{}.{}", capability->first, capability->second);
  const int64_t each = cores_per_multiprocessor(capability->first, capability->second);
  if (!out.cores) {
    out.multiprocessors = Known<int64_t>::unknown(out.cores.reason);
  } else if (each == 0 || *out.cores % each != 0) {
    out.multiprocessors = Known<int64_t>::unknown("cores per multiprocessor are not known for " +
                                                  *out.compute_capability);
  } else {
    out.multiprocessors = *out.cores / each;
  }
}

// Asked with room for none, the driver answers how many there are.
Known<int64_t> compute_processes(const Nvml& nvml, Device device) {
  constexpr const char* symbol = "nvmlDeviceGetComputeRunningProcesses_v3";
  const auto function = nvml.find<Status (*)(Device, unsigned*, void*)>(symbol);
  if (!function) return Known<int64_t>::unknown(fmt::format("this driver has no {}", symbol));
  unsigned count = 0;
  const Status status = function(device, &count, nullptr);
  if (status != kSuccess && status != kInsufficientSize) {
    return Known<int64_t>::unknown(nvml.explain(status));
  }
  return static_cast<int64_t>(count);
}

NvidiaDevice read_device(const Nvml& nvml, Device device, int index) {
  NvidiaDevice out;
  out.index = index;
  out.name = nvml.text("nvmlDeviceGetName", device);
  out.uuid = nvml.text("nvmlDeviceGetUUID", device);
  const auto memory = nvml.get<MemoryInfo>("nvmlDeviceGetMemoryInfo", device);
  out.memory_total_bytes = map<int64_t>(memory, [](const MemoryInfo& m) { return m.total; });
  out.memory_free_bytes = map<int64_t>(memory, [](const MemoryInfo& m) { return m.free; });
  out.memory_bus_bits = whole(nvml.get<unsigned>("nvmlDeviceGetMemoryBusWidth", device));
  read_cores(nvml, device, out);
  out.power_limit_w = watts(nvml.get<unsigned>("nvmlDeviceGetEnforcedPowerLimit", device));
  out.power_w = watts(nvml.get<unsigned>("nvmlDeviceGetPowerUsage", device));
  out.temperature_celsius =
      map<double>(nvml.get<unsigned>("nvmlDeviceGetTemperature", device, kTemperatureGpu),
                  [](unsigned v) { return v; });
  out.sm_clock_hz = hertz(nvml.get<unsigned>("nvmlDeviceGetClockInfo", device, kClockSm));
  out.sm_clock_maximum_hz =
      hertz(nvml.get<unsigned>("nvmlDeviceGetMaxClockInfo", device, kClockSm));
  out.memory_clock_hz = hertz(nvml.get<unsigned>("nvmlDeviceGetClockInfo", device, kClockMemory));
  out.memory_clock_maximum_hz =
      hertz(nvml.get<unsigned>("nvmlDeviceGetMaxClockInfo", device, kClockMemory));
  out.ecc = first_is_on(nvml.get_pair<unsigned>("nvmlDeviceGetEccMode", device));
  out.mig = first_is_on(nvml.get_pair<unsigned>("nvmlDeviceGetMigMode", device));
  out.persistence = map<bool>(nvml.get<unsigned>("nvmlDeviceGetPersistenceMode", device),
                              [](unsigned v) { return v == 1; });
  out.pcie_generation = whole(nvml.get<unsigned>("nvmlDeviceGetCurrPcieLinkGeneration", device));
  out.pcie_generation_maximum =
      whole(nvml.get<unsigned>("nvmlDeviceGetMaxPcieLinkGeneration", device));
  out.pcie_width = whole(nvml.get<unsigned>("nvmlDeviceGetCurrPcieLinkWidth", device));
  out.pcie_width_maximum = whole(nvml.get<unsigned>("nvmlDeviceGetMaxPcieLinkWidth", device));
  read_throttle(nvml, device, out);
  out.compute_processes = compute_processes(nvml, device);
  return out;
}

}  // namespace

Nvidia read_nvidia(const std::string& library) {
  Nvidia out;
  const auto give_up = [&out](const std::string& why) {
    out.reason = why;
    out.driver_version = out.cuda_version = Known<std::string>::unknown(why);
    return out;
  };
  if (library.empty()) return give_up("NVIDIA devices were not looked for");
  const Nvml nvml(library);
  if (!nvml.started()) return give_up(nvml.reason());
  out.driver_version = nvml.text("nvmlSystemGetDriverVersion");
  out.cuda_version =
      map<std::string>(nvml.get<int>("nvmlSystemGetCudaDriverVersion_v2"),
                       [](int v) { return fmt::format("{}.{}", v / 1000, v % 1000 / 10); });
  const auto count = nvml.get<unsigned>("nvmlDeviceGetCount_v2");
  if (!count) {
    out.reason = count.reason;
    return out;
  }
  for (unsigned i = 0; i < std::min(*count, kMostDevices); ++i) {
    const auto device = nvml.get<Device>("nvmlDeviceGetHandleByIndex_v2", i);
    if (device) {
      out.devices.push_back(read_device(nvml, *device, static_cast<int>(i)));
    } else {
      out.reason +=
          fmt::format("{}device {}: {}", out.reason.empty() ? "" : "; ", i, device.reason);
    }
  }
  if (*count == 0) out.reason = "the driver lists no device";
  return out;
}

}  // namespace ridge::machine
