// llama-bench's flags against what its documentation says of them.

#include "cli/model_flags.h"

#include <gtest/gtest.h>

#include <map>

namespace {

using namespace ridge;
using cli::ModelFlags;
using Numbers = std::vector<int64_t>;

// "tiny" is a name, "file" one that brings weights.
Result<ModelUse> lookup(const std::string& text) {
  if (text != "tiny" && text != "other" && text != "file" && text != "same") {
    return Error{"no model '" + text + "'"};
  }
  ModelUse use;
  use.model = {.name = text == "same" ? "file" : text,
               .num_hidden_layers = 2,
               .hidden_size = 64,
               .num_attention_heads = 4,
               .num_key_value_heads = 2,
               .head_dim = 16,
               .intermediate_size = 128,
               .vocab_size = 100,
               .max_position_embeddings = 8192};
  if (text == "file" || text == "same") {
    use.file = ModelFile{.path = text + ".gguf", .label = "Q8_0", .matrix_bytes = 1000};
  }
  return use;
}

// The rows as a person would write them.
std::vector<std::string> rows_of(const ModelFlags& flags) {
  auto suite = cli::suite_of_models(flags, lookup);
  if (!suite) return {"error: " + suite.error().message};
  std::vector<std::string> out;
  for (const SuiteItem& item : suite->items) {
    out.push_back(work_key(item.work) + "@" + settings_key(item.settings));
  }
  return out;
}

std::vector<std::string> tests_of(const ModelFlags& flags) {
  auto suite = cli::suite_of_models(flags, lookup);
  if (!suite) return {"error: " + suite.error().message};
  std::vector<std::string> out;
  for (const SuiteItem& item : suite->items) out.push_back(test_name(item.work));
  return out;
}

std::string error_of(const ModelFlags& flags) {
  auto suite = cli::suite_of_models(flags, lookup);
  return suite ? "" : suite.error().message;
}

TEST(Numbers, AreListsAndRangesAsLlamaBenchHasThem) {
  const std::map<std::string, Numbers> right = {{"512", {512}},
                                                {"0", {0}},
                                                {"1,2,4", {1, 2, 4}},
                                                {"1-4", {1, 2, 3, 4}},
                                                {"4-4", {4}},
                                                {"0-4096+1024", {0, 1024, 2048, 3072, 4096}},
                                                {"1-10+4", {1, 5, 9}},
                                                {"1-64*2", {1, 2, 4, 8, 16, 32, 64}},
                                                {"3-100*5", {3, 15, 75}},
                                                {"16,1-3,8-32*2", {16, 1, 2, 3, 8, 16, 32}}};
  for (const auto& [text, numbers] : right) {
    const auto parsed = cli::parse_numbers({text}, "-p");
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, numbers) << text;
  }
  // Repeating a flag is the same as a comma.
  EXPECT_EQ(*cli::parse_numbers({"1,2", "4"}, "-p"), (Numbers{1, 2, 4}));
}

TEST(Numbers, ThatAreNoneAreRefused) {
  for (const char* text :
       {"",         ",",        "1,",    "-1",  "1-",    "x",      "512 ", "1-4+",
        "1-4+0",    "1-4*1",    "0-4*2", "4-1", "1-4/2", "1-4+-1", "1.5",  "99999999999999999999",
        "16777217", "0-100000", "1--4",  "+1"}) {
    const auto parsed = cli::parse_numbers({text}, "-ub");
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().message.find("-ub '"), 0u) << parsed.error().message;
  }
}

TEST(ModelRows, DefaultsAreLlamaBenchs) {
  EXPECT_EQ(rows_of({.models = {"tiny"}}),
            (std::vector<std::string>{"prefill/tiny/f16/pp512@hot/isolated",
                                      "decode/tiny/f16/tg128@hot/isolated"}));
}

TEST(ModelRows, ZeroLeavesATestOut) {
  EXPECT_EQ(tests_of({.models = {"tiny"}, .prompt = {"0"}}), std::vector<std::string>{"tg128"});
  EXPECT_EQ(tests_of({.models = {"tiny"}, .generate = {"0"}}), std::vector<std::string>{"pp512"});
  EXPECT_NE(error_of({.models = {"tiny"}, .prompt = {"0"}, .generate = {"0"}}).find("nothing"),
            std::string::npos);
}

TEST(ModelRows, LoadsAreOfEachModelAndNumberOfThreads) {
  const std::vector<std::string> loads = {
      "load_model/tiny/f16/pp8@cold/isolated", "load_model/tiny/f16/pp8@hot/isolated",
      "load_model/tiny/q8_0/pp8@cold/isolated", "load_model/tiny/q8_0/pp8@hot/isolated"};
  ModelFlags flags{.models = {"tiny"},
                   .weights = {"f16,q8_0"},
                   .prompt = {"0"},
                   .generate = {"0"},
                   .load = {"cold,hot"}};
  EXPECT_EQ(rows_of(flags), loads);
  flags.depth = {"0,16"};
  EXPECT_NE(error_of(flags).find("-d says nothing of loading"), std::string::npos);
  flags.prompt = {"4"};  // after the rest
  EXPECT_EQ(rows_of(flags).size(), 8u);
  EXPECT_EQ(rows_of(flags).back(), loads.back());
  flags.threads = {"1,2"};
  EXPECT_EQ(rows_of(flags).size(), 2 * 8u);
  for (const char* text : {"warm", "", "cold,", "1"}) {
    flags.load = {text};
    EXPECT_NE(error_of(flags).find("--load '"), std::string::npos) << text;
  }
}

TEST(ModelRows, DepthsArePartOfTheName) {
  EXPECT_EQ(tests_of({.models = {"tiny"}, .depth = {"0,4096"}}),
            (std::vector<std::string>{"pp512", "tg128", "pp512 @ d4096", "tg128 @ d4096"}));
}

TEST(ModelRows, APromptAndWhatFollowsAreItsTwoParts) {
  EXPECT_EQ(tests_of({.models = {"tiny"}, .prompt = {"0"}, .generate = {"0"}, .both = {"256,64"}}),
            (std::vector<std::string>{"pp256", "tg64 @ d256"}));
  // The depth is before the prompt.
  EXPECT_EQ(tests_of({.models = {"tiny"},
                      .prompt = {"0"},
                      .generate = {"0"},
                      .both = {"256,64"},
                      .depth = {"100"}}),
            (std::vector<std::string>{"pp256 @ d100", "tg64 @ d356"}));
  for (const char* text : {"256", "256,64,1", "256,0", "0,64", "a,b", ""}) {
    EXPECT_NE(error_of({.models = {"tiny"}, .both = {text}}).find("-pg"), std::string::npos)
        << text;
  }
}

TEST(ModelRows, EveryCombinationOnceInItsOrder) {
  const auto rows = rows_of({.models = {"tiny,other"},
                             .weights = {"q8_0", "q4_k_m"},
                             .prompt = {"16", "16,32"},
                             .generate = {"0"},
                             .threads = {"1,2"}});
  ASSERT_EQ(rows.size(), 16u);  // the second 16 is the first
  EXPECT_EQ(rows[0], "prefill/tiny/q8_0/pp16@hot/isolated/1t");
  EXPECT_EQ(rows[1], "prefill/tiny/q8_0/pp32@hot/isolated/1t");
  EXPECT_EQ(rows[2], "prefill/tiny/q8_0/pp16@hot/isolated/2t");
  EXPECT_EQ(rows[4], "prefill/tiny/q4_k_m/pp16@hot/isolated/1t");
  EXPECT_EQ(rows[8], "prefill/other/q8_0/pp16@hot/isolated/1t");
}

TEST(ModelRows, KeyCacheMicroBatchFlashAttentionAndSequences) {
  const auto rows = rows_of({.models = {"tiny"},
                             .prompt = {"0"},
                             .sequences = {"4"},
                             .micro_batch = {"512,256"},
                             .keys = {"q8_0"},
                             .values = {"q8_0"},
                             .flash = {"0,1,auto"}});
  EXPECT_EQ(rows,
            (std::vector<std::string>{"decode/tiny/f16/kv-q8_0/b4/tg128@hot/isolated/unfused",
                                      "decode/tiny/f16/kv-q8_0/b4/tg128@hot/isolated/flash",
                                      "decode/tiny/f16/kv-q8_0/b4/tg128@hot/isolated",
                                      "decode/tiny/f16/kv-q8_0/b4/tg128@hot/isolated/ub256/unfused",
                                      "decode/tiny/f16/kv-q8_0/b4/tg128@hot/isolated/ub256/flash",
                                      "decode/tiny/f16/kv-q8_0/b4/tg128@hot/isolated/ub256"}));
  EXPECT_NE(error_of({.models = {"tiny"}, .keys = {"q8_0"}}).find("-ctv"), std::string::npos);
  EXPECT_NE(error_of({.models = {"tiny"}, .keys = {"q9"}, .values = {"q9"}}).find("-ctk 'q9'"),
            std::string::npos);
  EXPECT_NE(error_of({.models = {"tiny"}, .flash = {"2"}}).find("-fa '2'"), std::string::npos);
}

TEST(ModelRows, TheLogicalBatchBoundsTheMicroBatch) {
  const auto of = [](const char* b, const char* ub) {
    return rows_of(
               {.models = {"tiny"}, .generate = {"0"}, .logical_batch = {b}, .micro_batch = {ub}})
        .front();
  };
  EXPECT_EQ(of("2048", "512"), "prefill/tiny/f16/pp512@hot/isolated");
  EXPECT_EQ(of("128", "512"), "prefill/tiny/f16/pp512@hot/isolated/ub128");
  EXPECT_EQ(of("2048", "1024"), "prefill/tiny/f16/pp512@hot/isolated/ub1024");
  EXPECT_NE(of("768", "512").find("no multiple"), std::string::npos);
  EXPECT_NE(of("0", "512").find("above 0"), std::string::npos);
}

TEST(ModelRows, AFileBringsItsWeights) {
  EXPECT_EQ(rows_of({.models = {"file"}, .generate = {"0"}}),
            std::vector<std::string>{"prefill/file/q8_0/pp512@hot/isolated"});
  EXPECT_NE(error_of({.models = {"file"}, .weights = {"q4_0"}}).find("brings its own"),
            std::string::npos);
  // Beside a name, the formats are the name's.
  EXPECT_EQ(rows_of({.models = {"file", "tiny"}, .weights = {"Q4_0"}, .generate = {"0"}}),
            (std::vector<std::string>{"prefill/file/q8_0/pp512@hot/isolated",
                                      "prefill/tiny/q4_0/pp512@hot/isolated"}));
  // Two files that would share their keys must not pass for one.
  EXPECT_NE(error_of({.models = {"file", "same"}}).find("both called"), std::string::npos);
}

TEST(ModelRows, SayWhatIsMissing) {
  EXPECT_NE(error_of({.prompt = {"16"}}).find("-p says"), std::string::npos);
  EXPECT_NE(error_of({.micro_batch = {"16"}}).find("-ub says"), std::string::npos);
  EXPECT_NE(error_of({.models = {"nobody"}}).find("nobody"), std::string::npos);
  EXPECT_NE(error_of({.models = {"tiny,"}}).find("no model"), std::string::npos);
  EXPECT_NE(error_of({.models = {"tiny"}, .weights = {"q3"}}).find("--weights 'q3'"),
            std::string::npos);
  EXPECT_NE(error_of({.models = {"tiny"}, .threads = {"100000"}}).find("threads"),
            std::string::npos);
  EXPECT_NE(error_of({.models = {"tiny"}, .depth = {"0-999"}, .threads = {"1-999"}}).find("rows"),
            std::string::npos);
}

TEST(Words, OfOneDashAndSeveralLettersAreKnown) {
  EXPECT_EQ(cli::with_long_names({"run", "-pg", "512,128", "-ub", "256", "-fa", "1", "-p", "-ctk"}),
            (std::vector<std::string>{"run", "--pg", "512,128", "--ubatch-size", "256",
                                      "--flash-attn", "1", "-p", "--cache-type-k"}));
}

TEST(Words, OfLlamaBenchThatAreNotTakenSayWhatToDo) {
  EXPECT_NE(cli::not_taken({"run", "-m", "tiny", "-ngl", "99"}).find("--device"),
            std::string::npos);
  EXPECT_EQ(cli::not_taken({"run", "-m", "tiny", "-n", "99"}), "");
}

}  // namespace
