// What is left of memory, from made-up /proc and /sys trees.

#include "worker/sdk/memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

using namespace ridge::sdk;
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

TEST(Limits, OfTheProcessLeaveHalfToOthers) {
  for (const int what : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit old{};
    ASSERT_EQ(getrlimit(what, &old), 0);
    const rlim_t most = rlim_t{1} << 46;  // AddressSanitizer maps 20 TiB
    if (old.rlim_max != RLIM_INFINITY && old.rlim_max < most) GTEST_SKIP() << "limited already";
    const rlimit less{most, old.rlim_max};
    ASSERT_EQ(setrlimit(what, &less), 0);
    EXPECT_EQ(mappable_memory(), int64_t{1} << 45);
    EXPECT_LE(available_memory(), int64_t{1} << 45);
    setrlimit(what, &old);
  }
}

TEST(Limits, ATenthIsToSpare) {
  EXPECT_TRUE(fits(90, 100));
  EXPECT_FALSE(fits(91, 100));
  EXPECT_TRUE(fits(0, 0));
  EXPECT_EQ(too_large(768 * kMiB, 512 * kMiB), "needs 768 MiB, and 512 MiB are available");
}

}  // namespace
