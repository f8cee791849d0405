// What a model holds in memory, against the buffers that llama.cpp's log names (docs/models.md says
// of which release, and how).

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "paths.h"
#include "workload/model/find.h"
#include "workload/model/fit.h"
#include "workload/model/weights.h"

namespace {

using namespace ridge;

ModelConfig known(const std::string& name) { return find_model(name, paths::data()).value().model; }
double mib(int64_t bytes) { return static_cast<double>(bytes) / 0x1p20; }

TEST(Fit, HoldsWhatLlamaCppHolds) {
  std::ifstream file(paths::here() + "/data/held_models.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto json = Json::parse(text.str());
  ASSERT_TRUE(json) << json.error().message;
  int count = 0;
  for (const Json& entry : json->as_array()) {
    const auto number = [&](const char* key) { return entry.find(key)->as_double(); };
    const ModelUse use{.model = known(entry.find("model")->as_string()),
                       .format = *parse_choice<ModelFormat>(entry.find("format")->as_string()),
                       .kv = *parse_choice<KvFormat>(entry.find("kv")->as_string()),
                       .batch = entry.find("batch")->as_int()};
    const Holding held =
        holding(use, entry.find("context")->as_int(), entry.find("micro_batch")->as_int());
    EXPECT_NEAR(mib(held.weights), number("model_mib"), 0.006) << entry.dump();
    EXPECT_NEAR(mib(held.kv), number("kv_mib"), 0.006) << entry.dump();
    EXPECT_NEAR(mib(held.outputs), number("output_mib"), 0.006) << entry.dump();
    const double all =
        number("model_mib") + number("kv_mib") + number("compute_mib") + number("output_mib");
    EXPECT_NEAR(mib(held.total()) / all, 1, 0.03) << entry.dump();
    ++count;
  }
  EXPECT_EQ(count, 20);
}

ModelUse any_use() {
  const auto names = model_names(paths::data());
  return {.model = known(*rc::gen::elementOf(names)),
          .format = *rc::gen::elementOf(every_choice<ModelFormat>()),
          .kv = *rc::gen::elementOf(every_choice<KvFormat>()),
          .batch = *rc::gen::inRange<int64_t>(1, 9)};
}

RC_GTEST_PROP(Fit, GrowsWithContextBatchAndMicroBatch, ()) {
  const ModelUse use = any_use();
  const auto context = *rc::gen::inRange<int64_t>(1, 100'000);
  const auto micro = *rc::gen::inRange<int64_t>(1, 5000);
  const Holding held = holding(use, context, micro);
  ModelUse more = use;
  ++more.batch;
  // Not of the working buffers: a longer mask leaves a larger hole when it is not needed any more.
  RC_ASSERT(holding(use, context + 256, micro).kv > held.kv);
  RC_ASSERT(holding(use, context + 256, micro).inputs > held.inputs);
  RC_ASSERT(holding(more, context, micro).total() > held.total());
  RC_ASSERT(holding(use, context, micro + 1).working >= held.working);
  RC_ASSERT(held.working >= held.logits + held.logits / use.model.vocab_size);
  RC_ASSERT(held.on_gpu() <= held.total());
  RC_ASSERT(use.model.tie_word_embeddings == (held.gathered == 0));
}

RC_GTEST_PROP(Fit, TheLongestContextIsTheLastThatFits, ()) {
  const ModelUse use = any_use();
  const int64_t most = use.model.max_position_embeddings;
  const auto room = *rc::gen::inRange<int64_t>(1, 2 * holding(use, most, 512).total());
  const int64_t found = longest_context(use, 512, room, false);
  if (found > 0) RC_ASSERT(holding(use, found, 512).total() <= room);
  if (found < most) RC_ASSERT(holding(use, found + 256, 512).total() > room);
  RC_ASSERT(found == most || found % 256 == 0);
}

TEST(Fit, OfWhatNoMachineHoldsIsAnExbibyteAndNoOverflow) {
  ModelConfig model = known("tiny-moe");
  model.moe_intermediate_size = model.num_experts = model.num_experts_per_tok = 1 << 19;
  model.hidden_size = 1;
  ASSERT_TRUE(validate(model)) << validate(model).error().message;
  const ModelUse use{.model = model, .format = ModelFormat::f32, .batch = 1 << 16};
  EXPECT_GE(holding(use, 1 << 24, 1 << 20).total(), int64_t{1} << 60);
}

}  // namespace
