// Whole models, through the whole runner, on the simulated worker: small ones are held against
// float64, and what float64 cannot judge against other work that must give the same.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "sim_runs.h"
#include "workload/model/twin.h"

namespace {

using namespace ridge;
using sim_test::hot;
using sim_test::visit;

ModelUse small(ModelFormat format = ModelFormat::f16) {
  return {.model = {.name = "small",
                    .num_hidden_layers = 2,
                    .hidden_size = 64,
                    .num_attention_heads = 4,
                    .num_key_value_heads = 2,
                    .head_dim = 16,
                    .intermediate_size = 96,
                    .vocab_size = 160,
                    .max_position_embeddings = 512},
          .format = format};
}
// The same, with a file that only the worker can read.
ModelUse unjudged() {
  ModelUse use = small();
  use.file = ModelFile{.path = "/nowhere/else.gguf", .label = "F16"};
  return use;
}
ModelUse at_depth(ModelUse use, int64_t depth, int64_t batch = 1) {
  use.depth = depth;
  use.batch = batch;
  return use;
}

bool has_note(const Row& row, const std::string& text) {
  return std::any_of(row.notes.begin(), row.notes.end(),
                     [&](const std::string& note) { return note.find(text) != std::string::npos; });
}

void expect_incorrect(const Row& row, const std::string& why) {
  EXPECT_EQ(row.status, Status::incorrect) << row.row_key() << ": " << row.reason;
  EXPECT_FALSE(row.rate.value);
  EXPECT_NE(row.reason.find(why), std::string::npos) << row.reason;
}

TEST(SmallModels, HonestOnesPassAgainstFloat64) {
  const std::vector<Workload> works = {
      Prefill{.use = small(), .tokens = 9},
      Prefill{.use = at_depth(small(ModelFormat::q8_0), 5, 3), .tokens = 4},
      Prefill{.use = small(), .tokens = 5, .logits = Prefill::Logits::all},
      Decode{.use = at_depth(small(), 7), .tokens = 3},
      Decode{.use = at_depth(small(ModelFormat::f32), 0, 2), .tokens = 1}};
  for (const Workload& work : works) {
    const Row row = visit("honest", work, hot());
    EXPECT_EQ(row.status, Status::ok) << row.row_key() << ": " << row.reason;
    EXPECT_EQ(row.check.verdict, CheckOutcome::Verdict::passed);
    EXPECT_EQ(row.check.against, "");
    EXPECT_GE(row.check.elements, 160);
    EXPECT_FALSE(has_note(row, "checked against"));
  }
}

TEST(SmallModels, FaultsAreFound) {
  for (const std::string fault : {"head", "layer", "rope", "mask", "lost"}) {
    const Row row =
        visit("model-" + fault, Decode{.use = at_depth(small(), 7), .tokens = 3}, hot());
    expect_incorrect(row, "logits[");
  }
  for (const std::string cheat : {"constant", "nan-logit", "same-tokens", "stale", "previous"}) {
    expect_incorrect(visit(cheat, Prefill{.use = small(), .tokens = 9}, hot()), "logits[");
  }
}

TEST(LargeModels, AreCheckedByWhatMustGiveTheSame) {
  struct Case {
    Workload work;
    std::string against;
  };
  const std::vector<Case> cases = {
      {Prefill{.use = unjudged(), .tokens = 9}, "decode of a token after 8"},
      {Prefill{.use = unjudged(), .tokens = 1}, "decode of a token after 0"},
      {Prefill{.use = at_depth(unjudged(), 5, 3), .tokens = 4}, "decode of a token after 8"},
      {Prefill{.use = unjudged(), .tokens = 5, .logits = Prefill::Logits::all},
       "decode of a token after 4"},
      {Decode{.use = at_depth(unjudged(), 7), .tokens = 3}, "prefill of 10 tokens"},
      {Decode{.use = at_depth(unjudged(), 0, 2), .tokens = 1}, "prefill of 1 token"}};
  for (const auto& [work, against] : cases) {
    const Row row = visit("honest", work, hot());
    EXPECT_EQ(row.status, Status::ok) << row.row_key() << ": " << row.reason;
    EXPECT_EQ(row.check.verdict, CheckOutcome::Verdict::passed);
    EXPECT_EQ(row.check.against, against);
    EXPECT_GT(row.check.elements, 30);
    EXPECT_TRUE(has_note(row, "checked against " + against + ", not against float64"));
    const auto back = parse_row(to_json(row), "row");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->check.against, against);
  }
}

TEST(LargeModels, ATwinThatDisagreesSaysBothValues) {
  const Workload decode = Decode{.use = at_depth(unjudged(), 7), .tokens = 3};
  const Workload prefill = Prefill{.use = at_depth(unjudged(), 7), .tokens = 3};
  for (const std::string fault : {"head", "layer", "rope", "mask", "lost"}) {
    const Row row = visit("decode-" + fault, decode, hot());
    expect_incorrect(row, "off those of prefill of 10 tokens");
    EXPECT_NE(row.reason.find(" here and "), std::string::npos) << row.reason;
    EXPECT_EQ(row.check.against, "prefill of 10 tokens");
    std::printf("%s: %.0f times what is allowed\n", fault.c_str(), row.check.worst);
    EXPECT_GT(row.check.worst, 3) << fault;
    expect_incorrect(visit("decode-" + fault, prefill, hot()), "off those of decode");
  }
}

TEST(LargeModels, CheatsThatFoolTheTwinToo) {
  const Workload work = Decode{.use = at_depth(unjudged(), 7), .tokens = 3};
  expect_incorrect(visit("constant", work, hot()), "all of ");
  expect_incorrect(visit("zero-fill", work, hot()), "all of ");
  expect_incorrect(visit("nan-logit", work, hot()), "nan");
  expect_incorrect(visit("same-tokens", work, hot()), "the same for other tokens");
  expect_incorrect(visit("stale", work, hot()), "nan");
}

TEST(LargeModels, WhatCannotBeCheckedHasNoRate) {
  const Row row = visit("no-prefill", Decode{.use = at_depth(unjudged(), 7), .tokens = 3}, hot());
  EXPECT_EQ(row.status, Status::failed);
  EXPECT_FALSE(row.rate.value);
  EXPECT_NE(row.reason.find("could not be checked by prefill of 10 tokens"), std::string::npos)
      << row.reason;
  EXPECT_NE(row.reason.find("sim cannot do it"), std::string::npos) << row.reason;
}

// The first round's answers are checked by the twin; later ones where that takes less than the
// timing. The log tells how often which work was prepared.
TEST(LargeModels, TheTwinStaysCheap) {
  const std::string log = testing::TempDir() + "twin_log_" + std::to_string(::getpid());
  const Workload work = Decode{.use = at_depth(unjudged(), 7), .tokens = 3};
  for (const bool slow : {false, true}) {
    std::remove(log.c_str());
    const sim_test::Environment environment{{"RIDGE_TEST_MODE", slow ? "slow-prefill" : "honest"},
                                            {"RIDGE_TEST_LOG", log}};
    const auto rows =
        sim_test::visit_all({{work, hot()}}, sim_test::effort_of(3, 1), slow ? 0.02 : 0.5);
    EXPECT_EQ(rows.at(0).status, Status::ok) << rows[0].reason;
    std::ifstream file(log);
    int prepared = 0;
    for (std::string line; std::getline(file, line);) {
      prepared += line.find(" prepare ") != std::string::npos ? 1 : 0;
    }
    std::printf("prepared %d\n", prepared);
    EXPECT_EQ(prepared, slow ? 4 : 6);
  }
  std::remove(log.c_str());
}

}  // namespace
