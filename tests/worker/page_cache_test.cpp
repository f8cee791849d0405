// The page cache, against what the kernel says of single pages (RWF_NOWAIT).

#include "worker/sdk/page_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
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
    const std::vector<char> bytes(kBytes, 'x');
    ASSERT_EQ(::write(file_, bytes.data(), bytes.size()), kBytes);
    if (!sdk::can_be_cold(path_)) GTEST_SKIP() << "temporary files lie in memory";
    char byte = 0;
    iovec where{&byte, 1};
    if (::preadv2(file_, &where, 1, 0, RWF_NOWAIT) < 0)
      GTEST_SKIP() << "the file system has no RWF_NOWAIT";
  }
  void TearDown() override {
    ::close(file_);
    fs::remove(path_);
  }
  // Whether a read that must not wait for a disk finds the page.
  bool has(int64_t at) const {
    char byte = 0;
    iovec where{&byte, 1};
    return ::preadv2(file_, &where, 1, at, RWF_NOWAIT) == 1;
  }

  std::string path_;
  int file_ = -1;
};

TEST_F(PageCache, IsMadeColdAndHot) {
  for (int i = 0; i < 3; ++i) {
    sdk::make_pages(file_, kBytes, CacheMode::cold);
    EXPECT_FALSE(has(0) || has(kBytes / 2) || has(kBytes - 1));
    sdk::make_pages(file_, kBytes, CacheMode::hot);
    EXPECT_TRUE(has(0) && has(kBytes / 2) && has(kBytes - 1));
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
