#include "machine/nvml.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "fixture.h"
#include "paths.h"

namespace ridge::machine {
namespace {

TEST(Nvml, AFullAnswer) {
  const Nvidia nvidia = read_nvidia(paths::fake_nvml());
  EXPECT_EQ(*nvidia.driver_version, "580.65.06");
  EXPECT_EQ(*nvidia.cuda_version, "13.1");
  ASSERT_EQ(nvidia.devices.size(), 2u);
  EXPECT_EQ(nvidia.reason, "device 2: Insufficient Permissions");
  const NvidiaDevice& d = nvidia.devices[0];
  EXPECT_EQ(*d.name, "NVIDIA H200");
  EXPECT_EQ(*d.uuid, "GPU-1234");
  EXPECT_EQ(*d.memory_total_bytes, 150754820096);
  EXPECT_EQ(*d.memory_free_bytes, 150000000000);
  EXPECT_EQ(*d.memory_bus_bits, 6144);
  EXPECT_EQ(*d.compute_capability, "9.0");
  EXPECT_EQ(*d.multiprocessors, 132);
  EXPECT_DOUBLE_EQ(*d.power_limit_w, 700);
  EXPECT_DOUBLE_EQ(*d.power_w, 75.5);
  EXPECT_DOUBLE_EQ(*d.temperature_celsius, 30);
  EXPECT_DOUBLE_EQ(*d.sm_clock_hz, 345e6);
  EXPECT_DOUBLE_EQ(*d.sm_clock_maximum_hz, 1980e6);
  EXPECT_DOUBLE_EQ(*d.memory_clock_maximum_hz, 3201e6);
  EXPECT_EQ(*d.ecc, true);
  EXPECT_EQ(*d.pcie_generation, 4);
  EXPECT_EQ(*d.pcie_width_maximum, 16);
  EXPECT_EQ(*d.compute_processes, 2);
  EXPECT_EQ(d.throttle_reasons, (std::vector<std::string>{"software power cap", "unnamed 0x1000"}));
  EXPECT_FALSE(d.mig);
  EXPECT_EQ(d.mig.reason, "this driver has no nvmlDeviceGetMigMode");
}

TEST(Nvml, ADeviceThatRefuses) {
  const Nvidia nvidia = read_nvidia(paths::fake_nvml());
  ASSERT_EQ(nvidia.devices.size(), 2u);
  const NvidiaDevice& d = nvidia.devices[1];
  EXPECT_EQ(*d.name, std::string(95, 'A'));  // a name without an end
  EXPECT_FALSE(d.uuid);
  EXPECT_EQ(d.uuid.reason, "Not Supported");
  EXPECT_FALSE(d.memory_total_bytes);
  EXPECT_FALSE(d.multiprocessors);
  EXPECT_TRUE(d.throttle_reasons.empty());
  EXPECT_NE(d.throttle_reason, "");
  EXPECT_EQ(*d.compute_processes, 0);
}

TEST(Nvml, IsShutDownAgain) {
  void* library = ::dlopen(paths::fake_nvml().c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr);
  const auto users = reinterpret_cast<int (*)()>(::dlsym(library, "ridge_fake_users"));
  read_nvidia(paths::fake_nvml());
  EXPECT_EQ(users(), 0);
  ::dlclose(library);
}

TEST(Nvml, AbsentOrNoNvmlAtAll) {
  const Nvidia absent = read_nvidia("libridge-no-such-library.so.1");
  EXPECT_TRUE(absent.devices.empty());
  EXPECT_EQ(absent.reason.rfind("no NVIDIA driver", 0), 0u);
  EXPECT_EQ(absent.driver_version.reason, absent.reason);
  // A library that opens and is something else.
  const Nvidia other = read_nvidia("libm.so.6");
  EXPECT_TRUE(other.devices.empty());
  EXPECT_EQ(other.reason, "nvmlInit_v2: is missing");
}

TEST(Nvml, AFixtureGetsNoDriverOfThisMachine) {
  Sources sources = fixture("amd_vm");
  sources.nvml_library = "libnvidia-ml.so.1";
  EXPECT_EQ(discover(sources).nvidia.reason, "NVIDIA devices were not looked for");
  sources.nvml_library = paths::fake_nvml();
  const Machine m = discover(sources);
  EXPECT_EQ(m.nvidia.devices.size(), 2u);
  EXPECT_NE(machine_key(m).find("1x-nvidia-h200"), std::string::npos);
}

}  // namespace
}  // namespace ridge::machine
