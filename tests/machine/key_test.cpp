#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "machine/environment.h"
#include "machine/machine.h"

namespace ridge {
namespace {

Machine machine_of(const std::string& model, int64_t cores, int64_t bytes) {
  Machine m;
  m.cpu.model = model;
  m.cpu.sockets = 1;
  m.cpu.cores = cores;
  m.cpu.threads = cores;
  m.memory.total_bytes = bytes;
  return m;
}

constexpr int64_t kGiB = int64_t{1} << 30;

// Results lie in folders of these names: a change orphans them.
TEST(Key, IsStable) {
  EXPECT_EQ(machine_key(machine_of("AMD EPYC 9B14", 2, 24684096LL * 1024)),
            "amd-epyc-9b14-2c-23g-90580a");
}

TEST(Key, ReadableNames) {
  const auto slug = [](const std::string& model) {
    const std::string key = machine_key(machine_of(model, 1, kGiB));
    return key.substr(0, key.find("-1c-"));
  };
  EXPECT_EQ(slug("Intel(R) Xeon(R) Platinum 8480C CPU @ 2.00GHz"), "intel-xeon-platinum-8480c");
  EXPECT_EQ(slug("AMD Ryzen 9 7950X 16-Core Processor"), "amd-ryzen-9-7950x-16");
  EXPECT_EQ(slug("Apple M3 Max"), "apple-m3-max");
  EXPECT_EQ(slug("../../etc"), "etc");
  EXPECT_EQ(slug(""), "unknown");
}

TEST(Key, FollowsWhatTheMachineIsOnly) {
  Machine a = machine_of("X", 8, 64 * kGiB + 1000);
  const std::string key = machine_key(a);
  Machine b = a;
  b.memory.total_bytes = 64 * kGiB + 200 * 1024 * 1024;  // another kernel
  b.memory.available_bytes = 5;
  b.cpu.clocks.current_mean_hz = 1e9;
  b.system.kernel = "Linux 9";
  EXPECT_EQ(machine_key(b), key);
  b.cpu.sockets = 2;
  EXPECT_NE(machine_key(b), key);
  Machine c = a;
  NvidiaDevice gpu;
  gpu.name = "NVIDIA H200";
  c.nvidia.devices = {gpu, gpu};
  EXPECT_EQ(machine_key(c).rfind("x-8c-64g-2x-nvidia-h200-", 0), 0u);
  Machine d = a;
  d.apple_gpu.cores = 40;
  EXPECT_NE(machine_key(d), key);
}

RC_GTEST_PROP(Key, IsAlwaysAFolderName, (const std::string& model, int64_t cores, int64_t bytes)) {
  Machine m = machine_of(model, cores, bytes);
  NvidiaDevice gpu;
  gpu.name = model;
  m.nvidia.devices = {gpu};
  const std::string key = machine_key(m);
  RC_ASSERT(!key.empty() && key.size() < 200);
  for (const char c : key) {
    RC_ASSERT((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
  }
}

TEST(Environment, KeepsWhatMatters) {
  const std::vector<std::string> all = {
      "PATH=/bin", "OMP_NUM_THREADS=4", "HF_TOKEN=abc",   "CUDA_VISIBLE_DEVICES=", "nonsense",
      "=x",        "GGML_X=a=b",        "RIDGE_API_KEY=", "MLX_my_secret=1",       "CUDA_VISIBLE"};
  const auto kept = machine::relevant_environment(all);
  ASSERT_EQ(kept.size(), 6u);
  EXPECT_EQ(kept[0].name, "CUDA_VISIBLE_DEVICES");
  EXPECT_TRUE(kept[0].empty);
  EXPECT_EQ(kept[1].name, "GGML_X");
  EXPECT_EQ(kept[1].value, "a=b");
  EXPECT_EQ(kept[2].name, "HF_TOKEN");
  EXPECT_TRUE(kept[2].masked);
  EXPECT_EQ(kept[2].value, "***");
  EXPECT_EQ(kept[3].value, "***");
  EXPECT_EQ(kept[4].value, "4");
  EXPECT_TRUE(kept[5].empty);
  EXPECT_FALSE(kept[5].masked);
}

}  // namespace
}  // namespace ridge
