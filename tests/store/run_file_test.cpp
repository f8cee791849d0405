// Run files: written line by line, read whatever became of them.

#include "store/run_file.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "any_row.h"

namespace {

using namespace ridge;
namespace fs = std::filesystem;

Row row_of(int64_t m, double median_ns) {
  Row row;
  row.work = Gemm{.m = m, .n = 8, .k = 8};
  row.worker = "w";
  row.device = "0";
  row.status = Status::ok;
  row.cost = cost(row.work, {});
  row.time.median_ns = median_ns;
  return row;
}

Header header_of() {
  Header header;
  header.id = new_run_id();
  header.started_utc = utc_now();
  header.argv = {"ridge", "run"};
  header.machine_key = "machine-x";
  header.machine = Json::object().set("cpu", "x");
  header.tool = Json::object().set("version", "1");
  header.settings = Json::object().set("rounds", 3);
  return header;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class RunFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ridge-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file(const std::string& text) {
    const std::string path = folder_ + "/run.jsonl";
    fs::remove(path);  // some file systems wait for the disk when a file is overwritten
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  // A run of three rows, the first of them written twice.
  std::string small_run() {
    auto writer = RunWriter::create(folder_, header_of());
    EXPECT_TRUE(writer) << writer.error().message;
    EXPECT_TRUE(writer->add(row_of(1, 10)));
    EXPECT_TRUE(writer->add(row_of(2, 20)));
    EXPECT_TRUE(writer->add(Canary{"gemm/f32/1x1x1", 1.5, 99}));
    EXPECT_TRUE(writer->add(row_of(1, 11)));
    EXPECT_TRUE(writer->add(row_of(3, 30)));
    EXPECT_TRUE(writer->close({.ended_utc = utc_now(), .wall_s = 2, .interrupted = true}));
    return writer->path();
  }
  std::string folder_;
};

TEST_F(RunFile, IsReadAsItWasWritten) {
  const std::string path = small_run();
  auto run = read_run(path);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_TRUE(run->warnings.empty());
  ASSERT_EQ(run->rows.size(), 3u);
  EXPECT_EQ(run->rows[0].time.median_ns, 11);  // the last line of a row counts
  EXPECT_EQ(run->rows[1].time.median_ns, 20);
  EXPECT_EQ(run->rows[2].time.median_ns, 30);
  EXPECT_EQ(run->header.machine_key, "machine-x");
  EXPECT_EQ(run->header.argv, (std::vector<std::string>{"ridge", "run"}));
  EXPECT_EQ(run->header.machine, Json::object().set("cpu", "x"));
  ASSERT_EQ(run->canaries.size(), 1u);
  EXPECT_EQ(run->canaries[0].median_ns, 99);
  ASSERT_TRUE(run->summary);
  EXPECT_TRUE(run->summary->interrupted);
  EXPECT_EQ(run->summary->wall_s, 2);
}

TEST_F(RunFile, RowsStandInTheOrderAskedFor) {
  Header header = header_of();
  for (const int64_t m : {3, 1, 2}) header.row_keys.push_back(row_of(m, 1).row_key());
  auto writer = RunWriter::create(folder_, header);
  ASSERT_TRUE(writer);
  for (const int64_t m : {1, 9, 2, 3, 8}) EXPECT_TRUE(writer->add(row_of(m, 1)));
  auto run = read_run(writer->path());
  ASSERT_TRUE(run);
  std::vector<int64_t> order;
  for (const Row& row : run->rows) order.push_back(std::get<Gemm>(row.work).m);
  EXPECT_EQ(order, (std::vector<int64_t>{3, 1, 2, 9, 8}));
}

// Cut at every single byte: what is whole is read, what is torn is told of, nothing is invented.
TEST_F(RunFile, TornAtEveryByte) {
  const std::string whole = content_of(small_run());
  const size_t header_end = whole.find('\n');
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    const std::string text = whole.substr(0, cut);
    auto run = read_run(file(text));
    if (cut < header_end) {
      ASSERT_FALSE(run) << cut;
      EXPECT_NE(run.error().message.find("run.jsonl"), std::string::npos);
      continue;
    }
    ASSERT_TRUE(run) << cut << ": " << run.error().message;
    // Lines that are whole: those that end here, and the last where only its newline is missing.
    std::set<std::string> expected;
    std::stringstream lines(text);
    size_t torn = 0;
    for (std::string line; std::getline(lines, line);) {
      auto json = Json::parse(line);
      if (!json) {
        ++torn;
      } else if (const Json* key = json->find("row_key")) {
        expected.insert(key->as_string());
      }
    }
    std::set<std::string> got;
    for (const Row& row : run->rows) got.insert(row.row_key());
    EXPECT_EQ(got, expected) << cut;
    EXPECT_EQ(run->warnings.size(), torn) << cut;
    EXPECT_LE(torn, 1u);
    EXPECT_EQ(run->summary.has_value(), cut + 1 >= whole.size()) << cut;
  }
}

TEST_F(RunFile, GarbageInTheMiddleIsSkippedWithAWarning) {
  const std::string whole = content_of(small_run());
  const size_t second = whole.find('\n') + 1;
  for (const std::string garbage :
       {"garbage\n", "{\n", "\x00\xff\xfe\n", "5\n", "[]\n", "null\n", "{\"type\": \"row\"}\n",
        "{\"type\": 5}\n", "{}\n", "\n", "   \r\n", "{\"type\": \"tomorrow\", \"x\": 1}\n"}) {
    std::string text = whole;
    text.insert(second, garbage);
    auto run = read_run(file(text));
    ASSERT_TRUE(run) << garbage;
    EXPECT_EQ(run->rows.size(), 3u) << garbage;
    EXPECT_LE(run->warnings.size(), 1u);
    for (const std::string& warning : run->warnings) {
      EXPECT_NE(warning.find("run.jsonl:2: "), std::string::npos) << warning;
      EXPECT_NE(warning.find("skipped"), std::string::npos) << warning;
    }
  }
}

// A line in whose middle another writer's line stands (it cannot happen with one write a line).
RC_GTEST_FIXTURE_PROP(RunFile, AnyBytesNeverThrow, (std::vector<uint8_t> bytes)) {
  std::string text = content_of(small_run());
  const auto at = *rc::gen::inRange<size_t>(0, text.size());
  text.insert(at, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  (void)read_run(file(text));
  (void)read_run(file(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
}

TEST_F(RunFile, WhatIsNoRunFileSaysSo) {
  for (const std::string text :
       {"", "\n\n", "hello\n", "{}\n", "{\"type\": \"row\"}\n", "[1]\n", "{\"type\": \"header\"}\n",
        "{\"type\": \"header\", \"schema\": 5}\n",
        "{\"type\": \"header\", \"schema\": {\"name\": \"other\", \"version\": \"1.0.0\"}, "
        "\"id\": \"x\", \"started_utc\": \"x\", \"machine_key\": \"x\"}\n"}) {
    auto run = read_run(file(text));
    ASSERT_FALSE(run) << text;
    EXPECT_NE(run.error().message.find("run.jsonl"), std::string::npos) << run.error().message;
    EXPECT_EQ(run.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(read_run(folder_ + "/missing"));
  EXPECT_NE(read_run(folder_).error().message.find("is a folder"), std::string::npos);
}

TEST_F(RunFile, ANewerMajorSchemaIsRefusedAMinorIsNot) {
  const std::string whole = content_of(small_run());
  const std::string version = "\"version\":\"1.0.0\"";
  const size_t at = whole.find(version);
  ASSERT_NE(at, std::string::npos);
  const auto with = [&](const std::string& text) {
    std::string changed = whole;
    return file(changed.replace(at, version.size(), "\"version\":\"" + text + "\""));
  };
  for (const std::string text : {"1.0.1", "1.7.0", "1.99"}) EXPECT_TRUE(read_run(with(text)));
  for (const std::string text : {"2.0.0", "10.0.0", "0.9.0", "", "x", "11"}) {
    auto run = read_run(with(text));
    ASSERT_FALSE(run) << text;
    EXPECT_NE(run.error().message.find("schema version " + text), std::string::npos);
  }
  EXPECT_NE(read_run(with("2.0.0")).error().message.find("newer"), std::string::npos);
}

TEST_F(RunFile, SamplesStandBesideIt) {
  auto writer = RunWriter::create(folder_, header_of());
  ASSERT_TRUE(writer);
  EXPECT_TRUE(writer->add(RoundSamples{"key", 2, 1.25, 4, 1, {0, 10.0004}, {5, 6.25}}));
  std::string path = writer->path();
  const std::string text = content_of(path.replace(path.size() - 6, 6, ".samples.jsonl"));
  auto json = Json::parse(text.substr(0, text.find('\n')));
  ASSERT_TRUE(json);
  EXPECT_EQ(*json->find("row_key"), Json("key"));
  EXPECT_EQ(json->find("ns")->as_array().size(), 2u);
  EXPECT_EQ(json->find("ns")->as_array()[1].as_double(), 6.25);
}

TEST_F(RunFile, ManyRunsAtOnceHaveTheirOwnFiles) {
  std::vector<std::thread> threads;
  std::vector<std::string> paths(8);
  for (std::string& path : paths) {
    threads.emplace_back([&] {
      auto writer = RunWriter::create(folder_, header_of());
      if (writer) path = writer->path();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(paths.begin(), paths.end()).size(), 8u);
  EXPECT_FALSE(paths[0].empty());
}

TEST_F(RunFile, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder_ + "/file") << "";
  auto writer = RunWriter::create(folder_ + "/file", header_of());
  ASSERT_FALSE(writer);
  EXPECT_NE(writer.error().message.find("--out"), std::string::npos);
}

}  // namespace
