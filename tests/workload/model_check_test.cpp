// What the check of small models lets pass, and what it does not: honest programs of several kinds,
// and faults planted in them. Each prints how far it stands from what is allowed.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "model_faults.h"
#include "paths.h"
#include "workload/model/twin.h"
#include "workload/workload.h"

namespace {

using namespace ridge;
using model_test::Fault;

constexpr int64_t kLength = 12;

ModelConfig model(const std::string& name) {
  std::ifstream file(paths::data() + "/models/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return *parse_model(*Json::parse(text.str()), name);
}

// Weights whose format is said to be another one: activations beside them are rounded otherwise.
class Said : public ModelWeights {
 public:
  Said(const ModelWeights& weights, BlockFormat format) : weights_(weights), format_(format) {}
  std::optional<size_t> find(std::string_view tensor) const override {
    return weights_.find(tensor);
  }
  BlockFormat format(size_t) const override { return format_; }
  void row(size_t tensor, int64_t row, std::span<double> out) const override {
    weights_.row(tensor, row, out);
  }

 private:
  const ModelWeights& weights_;
  BlockFormat format_;
};

// Largest error over what is allowed.
double worst(const std::vector<Expected>& right, const std::vector<double>& found) {
  double most = 0;
  for (size_t i = 0; i < right.size(); ++i) {
    most = std::max(most, std::fabs(found[i] - right[i].value) / right[i].tolerance);
  }
  return most;
}

std::vector<Expected> expected_last(const ModelUse& use, const InputSource& inputs) {
  const Decode decode{.use = use, .tokens = kLength};
  std::vector<int64_t> row(static_cast<size_t>(use.model.vocab_size));
  std::iota(row.begin(), row.end(), 0);
  return expected(decode, inputs, "logits", row);
}

struct Case {
  const char* model;
  ModelFormat format;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.model << " " << name(c.format); }

class ModelCheck : public testing::TestWithParam<Case> {
 protected:
  ModelUse use_{.model = model(GetParam().model), .format = GetParam().format};
  std::vector<double> found(const ModelWeights& weights, const InputSource& inputs, Fault fault) {
    return model_test::logits(use_, weights, inputs, 0, kLength, fault, {.rounded = use_.kv});
  }
};

TEST_P(ModelCheck, HonestProgramsPass) {
  for (uint64_t salt = 1; salt <= 3; ++salt) {
    const InputSource inputs{.seed = salt, .salt = salt};
    const auto weights = *weight_rows(use_, inputs);
    const auto right = expected_last(use_, inputs);
    ASSERT_EQ(static_cast<int64_t>(right.size()), use_.model.vocab_size);
    std::vector<BlockFormat> ways{BlockFormat::f32};
    if (use_.format != ModelFormat::f32 && use_.format != ModelFormat::bf16) {
      ways.push_back(BlockFormat::f16);
    }
    if (use_.format == ModelFormat::q8_0 || use_.format == ModelFormat::q4_k_m) {
      ways.push_back(BlockFormat::q8_0);
    }
    double most = worst(right, found(*weights, inputs, Fault::none));
    for (const BlockFormat way : ways) {
      most = std::max(most, worst(right, found(Said(*weights, way), inputs, Fault::none)));
    }
    std::printf("honest %.2f\n", most);
    EXPECT_LT(most, 1) << salt;
  }
}

TEST_P(ModelCheck, FaultsDoNot) {
  std::map<Fault, double> least;
  for (uint64_t salt = 1; salt <= 3; ++salt) {
    const InputSource inputs{.seed = salt, .salt = salt};
    const auto weights = *weight_rows(use_, inputs);
    const auto right = expected_last(use_, inputs);
    for (const Fault fault :
         {Fault::head, Fault::layer, Fault::expert, Fault::rope, Fault::mask, Fault::lost}) {
      if (fault == Fault::expert && !use_.model.is_moe()) continue;
      const double factor = worst(right, found(*weights, inputs, fault));
      least[fault] = salt == 1 ? factor : std::min(least[fault], factor);
    }
  }
  for (const auto& [fault, factor] : least) {
    std::printf("%s %.1f\n", model_test::kFaults[static_cast<size_t>(fault)], factor);
    EXPECT_GT(factor, 1) << model_test::kFaults[static_cast<size_t>(fault)];
  }
}

ModelUse any_use(const std::string& name) {
  return {.model = model(name),
          .format = ModelFormat::q8_0,
          .batch = *rc::gen::inRange<int64_t>(1, 5),
          .depth = *rc::gen::inRange<int64_t>(0, 10)};
}
Workload any_work(const ModelUse& use) {
  const int64_t tokens = *rc::gen::inRange<int64_t>(1, 10);
  if (*rc::gen::arbitrary<bool>()) return Decode{.use = use, .tokens = tokens};
  return Prefill{.use = use,
                 .tokens = tokens,
                 .logits = *rc::gen::element(Prefill::Logits::last, Prefill::Logits::all)};
}

RC_GTEST_PROP(Elements, OfSmallModelsAreWholeRows, ()) {
  const Workload work = any_work(any_use("tiny-qwen3"));
  const TensorSpec logits = tensors(work).at(0);
  const int64_t vocab = logits.shape.back();
  const auto want = *rc::gen::element<int64_t>(1, 4, 64, 256);
  const auto chosen =
      elements_to_check(work, "logits", want, TensorKey{*rc::gen::arbitrary<uint64_t>()});
  RC_ASSERT(!chosen.empty() && chosen.size() % static_cast<size_t>(vocab) == 0);
  for (size_t i = 0; i < chosen.size(); ++i) {
    RC_ASSERT(chosen[i] >= 0 && chosen[i] < logits.elements());
    RC_ASSERT(chosen[i] % vocab == static_cast<int64_t>(i) % vocab);
    if (i > 0) RC_ASSERT(chosen[i] > chosen[i - 1]);
  }
}

RC_GTEST_PROP(Elements, OfLargeModelsAreASampleForTheTwin, ()) {
  const Workload work = any_work(any_use("mistral-7b"));
  const TensorSpec logits = tensors(work).at(0);
  const InputSource inputs{.seed = *rc::gen::arbitrary<uint64_t>()};
  const auto chosen = elements_to_check(work, "logits", 256, inputs.key("choice"));
  RC_ASSERT(chosen.size() > 200u && chosen.size() <= 256u);
  size_t judged = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    RC_ASSERT(chosen[i] >= 0 && chosen[i] < logits.elements());
    if (i > 0) RC_ASSERT(chosen[i] > chosen[i - 1]);
    if (const auto at = twin_element(work, chosen[i])) {
      ++judged;
      RC_ASSERT(*at >= 0 && *at < tensors(*twin(work)).at(0).elements());
    }
  }
  RC_ASSERT(judged > 150u);
  RC_ASSERT(expected(work, inputs, "logits", chosen).empty());
}

// The same tokens stand in front of the logits, and float64 says the same of both.
RC_GTEST_PROP(Twin, GivesTheSameLogits, ()) {
  ModelUse use = any_use("tiny-deepseek");
  use.model.hidden_size = use.model.intermediate_size = 64;
  use.model.num_attention_heads = use.model.num_key_value_heads = 2;
  use.model.num_experts = 4;
  use.model.moe_intermediate_size = 32;
  use.model.num_experts_per_tok = 2;
  use.model.vocab_size = 40;
  const Workload work = any_work(use);
  const auto other = twin(work);
  RC_ASSERT(other.has_value());
  RC_ASSERT(kind(*other) != kind(work));
  RC_ASSERT(validate(use, 1, "").ok());
  const auto round_trip = parse_workload(to_json(*other), "twin");
  RC_ASSERT(round_trip.ok() && *round_trip == *other);
  const InputSource inputs{.seed = 3, .salt = *rc::gen::arbitrary<uint64_t>()};
  std::vector<int64_t> mine, theirs;
  for (int64_t row = 0; row < tensors(work).at(0).elements() / use.model.vocab_size; ++row) {
    const auto at = twin_element(work, row * use.model.vocab_size + 5);
    if (!at) continue;
    mine.push_back(row * use.model.vocab_size + 5);
    theirs.push_back(*at);
  }
  RC_ASSERT(static_cast<int64_t>(mine.size()) == use.batch);
  const auto a = expected(work, inputs, "logits", mine);
  const auto b = expected(*other, inputs, "logits", theirs);
  for (size_t i = 0; i < mine.size(); ++i) {
    RC_ASSERT(std::fabs(a.at(i).value - b.at(i).value) < 1e-11);
  }
}

TEST(Twin, OnlyModelsHaveOne) {
  EXPECT_FALSE(twin(Gemm{.m = 4, .n = 4, .k = 4}));
  const ModelUse use{.model = model("tiny-llama"), .depth = 500};
  EXPECT_EQ(twin_in_words(Decode{.use = use, .tokens = 13}), "prefill of 513 tokens");
  EXPECT_EQ(twin_in_words(Prefill{.use = use, .tokens = 13}), "decode of a token after 512");
}

INSTANTIATE_TEST_SUITE_P(
    Models, ModelCheck,
    testing::Values(Case{"tiny-llama", ModelFormat::f32}, Case{"tiny-llama", ModelFormat::f16},
                    Case{"tiny-llama", ModelFormat::bf16}, Case{"tiny-llama", ModelFormat::q8_0},
                    Case{"tiny-llama", ModelFormat::q4_k_m}, Case{"tiny-qwen3", ModelFormat::f16},
                    Case{"tiny-qwen3", ModelFormat::q8_0}, Case{"tiny-moe", ModelFormat::f16},
                    Case{"tiny-moe", ModelFormat::q8_0}, Case{"tiny-deepseek", ModelFormat::f16},
                    Case{"tiny-deepseek", ModelFormat::q8_0}),
    [](const auto& param_info) {
      std::string text =
          std::string(param_info.param.model) + "_" + std::string(name(param_info.param.format));
      std::replace(text.begin(), text.end(), '-', '_');
      return text;
    });

}  // namespace
