#include "store/baseline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "store/find_runs.h"

namespace {

namespace fs = std::filesystem;
using namespace ridge;

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ridge-baseline-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string file(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
    return (root_ / name).string();
  }
  fs::path root_;
};

using Baseline = Folder;
using FindRuns = Folder;

TEST_F(Baseline, IsReplacedWhole) {
  const auto a = file("a.jsonl", "1"), b = file("b.jsonl", "2");
  ASSERT_TRUE(save_baseline(root_.string(), "main", {a, b}));
  ASSERT_TRUE(save_baseline(root_.string(), "main", {b}));
  const auto folder = baseline_folder(root_.string(), "main");
  ASSERT_TRUE(folder);
  EXPECT_EQ(*find_runs(*folder), (std::vector{*folder + "/b.jsonl"}));
  size_t left = 0;
  for (const auto& entry : fs::directory_iterator(root_ / "baselines")) {
    (void)entry;
    ++left;
  }
  EXPECT_EQ(left, 1u) << "nothing temporary is left";
}

TEST_F(Baseline, StaysWhereTheNewOneCannotBeSaved) {
  const auto a = file("a.jsonl", "1");
  ASSERT_TRUE(save_baseline(root_.string(), "main", {a}));
  EXPECT_FALSE(save_baseline(root_.string(), "main", {a, (root_ / "none.jsonl").string()}));
  EXPECT_TRUE(fs::exists(root_ / "baselines" / "main" / "a.jsonl"));
}

TEST_F(Baseline, NamesLeadNowhereElse) {
  for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "a b", "ä", "x\n"}) {
    EXPECT_FALSE(baseline_folder("results", name)) << name;
  }
  EXPECT_TRUE(baseline_folder("results", "v1.2_main-3"));
}

TEST_F(FindRuns, TakesRunsAndLeavesSamples) {
  const auto b = file("box/b.jsonl", ""), a = file("box/deep/a.jsonl", "");
  file("box/b.samples.jsonl", "");
  file("box/notes.txt", "");
  EXPECT_EQ(*find_runs(root_.string()), (std::vector{b, a}));
  EXPECT_EQ(*find_runs(b), (std::vector{b}));
  EXPECT_FALSE(find_runs((root_ / "none").string()));
  fs::create_directory(root_ / "empty");
  const auto empty = find_runs((root_ / "empty").string());
  ASSERT_FALSE(empty);
  EXPECT_NE(empty.error().message.find("no run file"), std::string::npos);
}

}  // namespace
