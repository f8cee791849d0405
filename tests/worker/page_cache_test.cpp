// The page cache, against the bytes that the kernel took from the disk to serve a read
// (/proc/self/io). To ask for single pages with RWF_NOWAIT would not do: it starts their read,
// which a fast disk may end before the call does.

#include "worker/sdk/page_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace ridge;
namespace fs = std::filesystem;

constexpr int64_t kBytes = int64_t{4} << 20;

class PageCache : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() / "ridge-pages-XXXXXX";
    file_ = ::mkstemp(path_.data());
    ASSERT_GE(file_, 0);
    std::vector<char> bytes(kBytes);  // that no file system can store in fewer
    std::generate(bytes.begin(), bytes.end(),
                  [random = std::mt19937_64(1)]() mutable { return static_cast<char>(random()); });
    ASSERT_EQ(::write(file_, bytes.data(), bytes.size()), kBytes);
    if (!sdk::can_be_cold(path_)) GTEST_SKIP() << "temporary files lie in memory";
    ::fsync(file_);
    ::posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED);
    if (!bytes_from_disk() || taken_from_disk() == 0)
      GTEST_SKIP() << "the kernel counts no bytes read from this file system";
  }
  void TearDown() override {
    ::close(file_);
    fs::remove(path_);
  }
  // What this process has had read from disks; nullopt: nobody counts.
  static std::optional<int64_t> bytes_from_disk() {
    std::ifstream counters("/proc/self/io");
    std::string name;
    for (int64_t bytes = 0; counters >> name >> bytes;) {
      if (name == "read_bytes:") return bytes;
    }
    return std::nullopt;
  }
  // Of the whole file's bytes those that a read of it took from the disk.
  int64_t taken_from_disk() const {
    std::vector<char> bytes(kBytes);
    const auto before = bytes_from_disk().value();
    EXPECT_EQ(::pread(file_, bytes.data(), bytes.size(), 0), kBytes);
    return bytes_from_disk().value() - before;
  }

  std::string path_;
  int file_ = -1;
};

TEST_F(PageCache, IsMadeColdAndHot) {
  for (int i = 0; i < 3; ++i) {
    sdk::make_pages(file_, kBytes, CacheMode::cold);
    EXPECT_GT(taken_from_disk(), 0.98 * kBytes);
    sdk::make_pages(file_, kBytes, CacheMode::cold);
    sdk::make_pages(file_, kBytes, CacheMode::hot);
    EXPECT_LT(taken_from_disk(), 0.02 * kBytes);
  }
}

TEST_F(PageCache, WhatIsMappedStays) {
  void* at = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED | MAP_POPULATE, file_, 0);
  ASSERT_NE(at, MAP_FAILED);
  EXPECT_THROW(sdk::make_pages(file_, kBytes, CacheMode::cold), std::runtime_error);
  ::munmap(at, kBytes);
  sdk::make_pages(file_, kBytes, CacheMode::cold);
}

TEST_F(PageCache, AFileThatEndsEarlyIsTold) {
  EXPECT_THROW(sdk::make_pages(file_, 2 * kBytes, CacheMode::hot), std::runtime_error);
  sdk::make_pages(file_, 0, CacheMode::hot);
}

TEST(PageCacheOfMemory, CannotBeCold) {
  std::ifstream mounts("/proc/mounts");
  const std::string all{std::istreambuf_iterator<char>(mounts), {}};
  if (all.find(" /dev/shm tmpfs ") == std::string::npos) GTEST_SKIP() << "no /dev/shm in memory";
  const auto can = sdk::can_be_cold("/dev/shm");
  ASSERT_FALSE(can.ok());
  EXPECT_NE(can.error().message.find("/dev/shm lies in memory"), std::string::npos);
}

}  // namespace
