#include "workload/suite.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "paths.h"
#include "workload/model/find.h"

namespace {

using namespace ridge;

std::string with_items(const std::string& items) {
  return R"({"name": "s", "items": [)" + items + "]}";
}

// Models as the command line finds them; "b.gguf" is a file that brings its weights.
Result<ModelUse> models(const std::string& text) {
  ModelUse use;
  if (text == "b.gguf") use.file = ModelFile{.path = text, .label = "Q6_K", .matrix_bytes = 1000};
  auto found = find_model(use.file ? "tiny-llama" : text, paths::data());
  if (!found) return found.error();
  use.model = found->model;
  return use;
}

std::vector<std::string> keys_of(const std::string& items) {
  auto suite = parse_suite(with_items(items), "here", models);
  EXPECT_TRUE(suite) << suite.error().message;
  std::vector<std::string> keys;
  for (const SuiteItem& item : suite->items) {
    keys.push_back(work_key(item.work) + "@" + settings_key(item.settings));
  }
  return keys;
}

std::string error_of(const std::string& text) {
  auto suite = parse_suite(text, "here", models);
  return suite ? "" : suite.error().message;
}

Suite own_suite(const std::string& name) {
  std::ifstream file(paths::data() + "/suites/" + name);
  std::stringstream text;
  text << file.rdbuf();
  auto suite = parse_suite(text.str(), name, models);
  EXPECT_TRUE(suite) << suite.error().message;
  return *std::move(suite);
}

TEST(SuiteText, AxesAreMultipliedTheLastFastest) {
  EXPECT_EQ(keys_of(R"({"kind": "gemm", "dtype": ["f32", "bf16"], "m": [1, 2], "n": 3, "k": 4})"),
            (std::vector<std::string>{
                "gemm/f32/1x3x4@cold/pipelined", "gemm/f32/2x3x4@cold/pipelined",
                "gemm/bf16/1x3x4@cold/pipelined", "gemm/bf16/2x3x4@cold/pipelined"}));
}

TEST(SuiteText, AnAxisOfObjectsSetsSeveralFields) {
  EXPECT_EQ(
      keys_of(R"({"kind": "gemm", "dtype": "f32",
                       "any_name": [{"m": 1, "n": 2, "k": 3}, {"m": 4, "n": 5, "k": 6}]})"),
      (std::vector<std::string>{"gemm/f32/1x2x3@cold/pipelined", "gemm/f32/4x5x6@cold/pipelined"}));
}

TEST(SuiteText, SettingsHaveAxesToo) {
  EXPECT_EQ(keys_of(R"({"kind": "stream", "op": "read", "bytes": 256,
                       "settings": {"threads": [0, 1], "cache": ["cold", "hot"]}})"),
            (std::vector<std::string>{
                "stream/read/256B@cold/pipelined", "stream/read/256B@hot/pipelined",
                "stream/read/256B@cold/pipelined/1t", "stream/read/256B@hot/pipelined/1t"}));
}

TEST(SuiteText, DefaultsAndNumbers) {
  auto suite = parse_suite(
      R"({"name": "n", "about": "a", "rounds": 7, "seconds_per_row": 0.5, "most_seconds": 9,
          "items": [{"kind": "stream", "op": "read", "bytes": 256}]})",
      "here");
  ASSERT_TRUE(suite);
  EXPECT_EQ(suite->name, "n");
  EXPECT_EQ(suite->about, "a");
  EXPECT_EQ(suite->rounds, 7);
  EXPECT_EQ(suite->seconds_per_row, 0.5);
  EXPECT_EQ(suite->most_seconds, 9);
}

TEST(SuiteText, AnItemMayTakePartInFewerRounds) {
  const auto suite = parse_suite(with_items(R"({"kind": "stream", "op": "read", "bytes": 256},
                                    {"kind": "stream", "op": "copy", "bytes": 256, "rounds": 3})"),
                                 "here");
  ASSERT_TRUE(suite);
  EXPECT_EQ(suite->items.at(0).rounds, SuiteItem::kAllRounds);
  EXPECT_EQ(suite->items.at(1).rounds, 3);
  for (const char* rounds : {"0", "-1", "1001", "1.5", "[1]", "\"3\""}) {
    const std::string item = R"({"kind": "stream", "op": "read", "bytes": 256, "rounds": )";
    EXPECT_NE(error_of(with_items(item + rounds + "}")).find("rounds"), std::string::npos);
  }
}

TEST(SuiteText, ErrorsNameTheirPlace) {
  const std::string good = R"({"kind": "stream", "op": "read", "bytes": 256})";
  EXPECT_NE(error_of(with_items(good + ", " + good)).find("stands twice"), std::string::npos);
  EXPECT_NE(error_of(with_items(good + R"(, {"kind": "stream", "op": "fly", "bytes": 256})"))
                .find("item 2"),
            std::string::npos);
  EXPECT_NE(
      error_of(with_items(R"({"kind": "stream", "op": [], "bytes": 256})")).find("empty axis"),
      std::string::npos);
  EXPECT_NE(error_of("{").find("here: not JSON"), std::string::npos);
  for (const char* text : {"5", "[]", "{}", R"({"name": "s", "items": []})",
                           R"({"name": "s", "items": [5]})", R"({"name": "s", "items": 5})"}) {
    EXPECT_TRUE(error_of(text).starts_with("here")) << text;
  }
}

TEST(SuiteText, CombinationsAreLimitedBeforeTheyAreMade) {
  std::string axis = "[1";
  for (int i = 2; i <= 1000; ++i) axis += ", " + std::to_string(i);
  axis += "]";
  const std::string item = R"({"kind": "gemm", "dtype": "f32", "m": )" + axis + R"(, "n": )" +
                           axis + R"(, "k": )" + axis + "}";
  EXPECT_NE(error_of(with_items(item)).find("more than 100000 combinations"), std::string::npos);
}

TEST(OwnSuites, AllParse) {
  size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(paths::data() + "/suites/")) {
    const Suite suite = own_suite(entry.path().filename().string());
    EXPECT_EQ(suite.name, entry.path().stem().string());
    EXPECT_FALSE(suite.about.empty());
    EXPECT_FALSE(suite.items.empty());
    ++found;
  }
  EXPECT_GE(found, 4u);
}

TEST(SuiteText, ModelsStandByTheirNames) {
  EXPECT_EQ(keys_of(R"({"kind": "decode", "model": ["tiny-llama", "qwen3-0.6b"],
                        "format": ["f16", "q8_0"], "batch": 1, "depth": 0, "tokens": 4})"),
            (std::vector<std::string>{"decode/tiny-llama/f16/tg4@cold/pipelined",
                                      "decode/tiny-llama/q8_0/tg4@cold/pipelined",
                                      "decode/qwen3-0.6b/f16/tg4@cold/pipelined",
                                      "decode/qwen3-0.6b/q8_0/tg4@cold/pipelined"}));
  // A file brings its weights, and a format beside it would be a lie.
  const std::string file = R"("kind": "prefill", "model": "b.gguf", "batch": 1, "depth": 2)";
  EXPECT_EQ(keys_of("{" + file + R"(, "tokens": 4})"),
            std::vector<std::string>{"prefill/tiny-llama/q6_k/pp4/d2@cold/pipelined"});
  EXPECT_NE(error_of(with_items("{" + file + R"(, "tokens": 4, "format": "f16"})"))
                .find("brings its own weights"),
            std::string::npos);
  EXPECT_NE(error_of(with_items(R"({"kind": "prefill", "model": "nobody", "format": "f16",
                                    "batch": 1, "depth": 0, "tokens": 4})"))
                .find("here: item 1: "),
            std::string::npos);
  // Nothing in the library knows names by itself.
  const auto alone = parse_suite(with_items(R"({"kind": "prefill", "model": "tiny-llama"})"), "x");
  EXPECT_FALSE(alone);
}

TEST(OwnSuites, ModelsHaveTheirRoofsBesideThem) {
  for (const char* name : {"llm-small.json", "llm-7b.json"}) {
    const Suite suite = own_suite(name);
    std::set<std::string> keys;
    for (const SuiteItem& item : suite.items) {
      const std::string key = work_key(item.work);
      keys.insert(key.substr(0, key.find('/', key.find('/') + 1)));
      if (!model_use(item.work)) continue;
      EXPECT_TRUE(reads_file(item.work) || item.settings.cache == CacheMode::hot);
      EXPECT_EQ(item.settings.timing, Timing::isolated);
    }
    for (const char* needed : {"stream/read", "stream/write", "gemm/f32", "gemm/int8"}) {
      EXPECT_TRUE(keys.count(needed)) << name << ": " << needed;
    }
  }
}

TEST(OwnSuites, QuickHoldsWhatItMust) {
  const Suite quick = own_suite("quick.json");
  EXPECT_LE(quick.most_seconds, 120);
  EXPECT_GE(quick.rounds, 3);
  std::set<std::string> keys;
  bool prefill = false, decode = false;
  for (const SuiteItem& item : quick.items) {
    keys.insert(work_key(item.work));
    if (const auto* gemm = std::get_if<Gemm>(&item.work)) {
      prefill |= gemm->m >= 64 && gemm->m <= 512 && gemm->n > gemm->m && gemm->k > gemm->m;
      decode |= gemm->m == 1;
    }
  }
  for (const char* dtype : {"f32", "bf16", "int8"}) {
    for (const int n : {512, 1024, 2048, 4096}) {
      const std::string side = std::to_string(n);
      EXPECT_TRUE(keys.count("gemm/" + std::string(dtype) + "/" + side + "x" + side + "x" + side))
          << dtype << side;
    }
  }
  for (const char* op : {"read", "write", "copy", "triad"}) {
    for (const char* size : {"64MiB", "256MiB", "1GiB"}) {
      EXPECT_TRUE(keys.count("stream/" + std::string(op) + "/" + size)) << op << size;
    }
  }
  EXPECT_TRUE(prefill);
  EXPECT_TRUE(decode);
}

TEST(OwnSuites, StandardAndFullAreLonger) {
  const Suite quick = own_suite("quick.json"), standard = own_suite("standard.json"),
              full = own_suite("full.json");
  EXPECT_LE(standard.most_seconds, 600);
  EXPECT_GT(standard.items.size(), quick.items.size());
  EXPECT_GT(full.items.size(), standard.items.size());
  for (const Suite& suite : {quick, standard, full}) EXPECT_GE(suite.rounds, 3);
}

}  // namespace
