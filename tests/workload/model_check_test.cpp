// What the check of small models lets pass, and what it does not: honest programs of several kinds,
// and faults planted in them. Each prints how far it stands from what is allowed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

#include "model_faults.h"
#include "workload/workload.h"

namespace {

using namespace ridge;
using model_test::Fault;

constexpr int64_t kLength = 12;

ModelConfig model(const std::string& name) {
  std::ifstream file(WORKLOAD_MODELS + name + ".json");
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
  for (const Fault fault :
       {Fault::head, Fault::layer, Fault::expert, Fault::rope, Fault::mask, Fault::lost}) {
    if (fault == Fault::expert && !use_.model.is_moe()) continue;
    double least = INFINITY;
    for (uint64_t salt = 1; salt <= 3; ++salt) {
      const InputSource inputs{.seed = salt, .salt = salt};
      const auto weights = *weight_rows(use_, inputs);
      least = std::min(least, worst(expected_last(use_, inputs), found(*weights, inputs, fault)));
    }
    std::printf("%s %.1f\n", model_test::kFaults[static_cast<size_t>(fault)], least);
    EXPECT_GT(least, 1.5) << model_test::kFaults[static_cast<size_t>(fault)];
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, ModelCheck,
    testing::Values(Case{"tiny-llama", ModelFormat::f32}, Case{"tiny-llama", ModelFormat::f16},
                    Case{"tiny-llama", ModelFormat::bf16}, Case{"tiny-llama", ModelFormat::q8_0},
                    Case{"tiny-llama", ModelFormat::q4_k_m}, Case{"tiny-qwen3", ModelFormat::f16},
                    Case{"tiny-qwen3", ModelFormat::q8_0}, Case{"tiny-moe", ModelFormat::f16},
                    Case{"tiny-moe", ModelFormat::q8_0}, Case{"tiny-deepseek", ModelFormat::f16},
                    Case{"tiny-deepseek", ModelFormat::q8_0}),
    [](const auto& info) {
      std::string text = std::string(info.param.model) + "_" + std::string(name(info.param.format));
      std::replace(text.begin(), text.end(), '-', '_');
      return text;
    });

}  // namespace
