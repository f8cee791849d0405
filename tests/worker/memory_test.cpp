// What is left of memory, from made-up /proc and /sys trees.

#include "worker/sdk/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

using ridge::sdk::available_memory;
namespace fs = std::filesystem;

constexpr int64_t kMiB = 1 << 20;

class Tree : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("ridge-memory-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    put("/proc/meminfo", "MemTotal:  9000000 kB\nMemAvailable:    1024000 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text) const {
    const fs::path file = root_.string() + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  int64_t available() const { return available_memory(root_.string()); }

 private:
  fs::path root_;
};

TEST_F(Tree, WithoutGroupsTheKernelsEstimate) { EXPECT_EQ(available(), 1000 * kMiB); }

TEST_F(Tree, VersionTwoCountsEveryGroupAbove) {
  put("/proc/self/cgroup", "0::/slice/job\n");
  put("/sys/fs/cgroup/slice/job/memory.max", "max\n");
  put("/sys/fs/cgroup/slice/job/memory.current", "1000\n");
  put("/sys/fs/cgroup/slice/memory.max", std::to_string(500 * kMiB) + "\n");
  put("/sys/fs/cgroup/slice/memory.current", std::to_string(200 * kMiB) + "\n");
  EXPECT_EQ(available(), 300 * kMiB);
  put("/sys/fs/cgroup/slice/memory.stat",
      "anon 5\ninactive_file " + std::to_string(50 * kMiB) + "\nactive_file 7\n");
  EXPECT_EQ(available(), 350 * kMiB) << "file pages can be dropped";
}

TEST_F(Tree, AContainerSeesItsGroupAtTheMount) {
  put("/proc/self/cgroup", "0::/../../docker/abc\n");
  put("/sys/fs/cgroup/memory.max", std::to_string(64 * kMiB));
  put("/sys/fs/cgroup/memory.current", std::to_string(65 * kMiB));
  EXPECT_EQ(available(), 0);
}

TEST_F(Tree, VersionOne) {
  put("/proc/self/cgroup", "9:name=systemd:/\n4:memory:/box\n0::/\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "99\n");
  put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", std::to_string(100 * kMiB));
  put("/sys/fs/cgroup/memory/box/memory.usage_in_bytes", std::to_string(40 * kMiB));
  EXPECT_EQ(available(), 60 * kMiB);
}

TEST_F(Tree, NonsenseIsNoLimit) {
  put("/proc/self/cgroup", "no colons\n::\n0::relative\n4:memory:\n");
  put("/sys/fs/cgroup/memory.max", "lots");
  put("/sys/fs/cgroup/memory.current", "");
  EXPECT_EQ(available(), 1000 * kMiB);
  put("/proc/meminfo", "");
  EXPECT_GT(available(), 0) << "half of what is installed";
}

}  // namespace
