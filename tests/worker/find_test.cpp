#include "worker/find.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

using ridge::find_workers;
namespace fs = std::filesystem;

class Find : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ridge-find-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string file(const std::string& path, int mode = 0755) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << "#!/bin/sh\n";
    ::chmod((root_ / path).c_str(), static_cast<mode_t>(mode));
    return (root_ / path).string();
  }
  fs::path root_;
};

TEST_F(Find, FirstOfANameWinsAndAllAreSorted) {
  const auto first = file("one/ridge-worker-b"), python = file("two/ridge-worker-a.py");
  file("two/ridge-worker-b");
  const auto own = file("libexec/ridge-worker-c");
  const std::string path = (root_ / "one").string() + ":" + (root_ / "two").string();
  const auto found = find_workers(path, (root_ / "libexec").string());
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].name, "a");
  EXPECT_EQ(found[0].path, python);
  EXPECT_EQ(found[1].name, "b");
  EXPECT_EQ(found[1].path, first);
  EXPECT_EQ(found[2].path, own);
}

TEST_F(Find, WhatIsNoWorkerIsPassedOver) {
  file("one/ridge-worker-plain", 0644);
  file("one/worker-x");
  file("one/my-ridge-worker-x");
  file("one/ridge-worker-");
  file("one/ridge-worker-.py");
  fs::create_directories(root_ / "one/ridge-worker-folder");
  fs::create_symlink(root_ / "nowhere", root_ / "one/ridge-worker-dangling");
  EXPECT_TRUE(find_workers((root_ / "one").string(), "/no/such/folder").empty());
}

TEST_F(Find, ALinkToAWorkerIsOne) {
  const auto target = file("elsewhere/build-output");
  fs::create_directories(root_ / "one");
  fs::create_symlink(target, root_ / "one/ridge-worker-linked");
  EXPECT_EQ(find_workers((root_ / "one").string(), "").size(), 1u);
}

TEST_F(Find, EmptyPartsOfThePathAreNothing) {
  const auto own = file("libexec/ridge-worker-c");
  for (const std::string path : {"", ":", "::", ":/no/such:", "/no/such"}) {
    EXPECT_EQ(find_workers(path, (root_ / "libexec").string()).size(), 1u) << path;
  }
}

}  // namespace
