// The float64 forward pass against a second one, in NumPy (forward_vectors.py), and against itself.

#include "workload/model/forward.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "base/json.h"
#include "file_bytes.h"
#include "paths.h"
#include "workload/files/gguf_write.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/tokens.h"
#include "workload/model/weight_rows.h"
#include "workload/model/weights.h"

namespace {

using namespace ridge;

std::unique_ptr<ModelWeights> synthetic(const ModelUse& use, uint64_t seed) {
  return *weight_rows(use, {.seed = seed});
}

std::vector<double> numbers(const Json& json) {
  std::vector<double> out;
  for (const Json& item : json.as_array()) out.push_back(item.as_double());
  return out;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(a[i] - b[i]);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

TEST(Forward, AgreesWithASecondImplementation) {
  std::ifstream file(paths::here() + "/data/forward_vectors.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto vectors = Json::parse(text.str());
  ASSERT_TRUE(vectors);
  size_t compared = 0;
  for (const Json& vector : vectors->as_array()) {
    const auto of = [&](std::string_view key) -> const Json& { return *vector.find(key); };
    const auto model = parse_model(of("model"), "vector");
    ASSERT_TRUE(model) << model.error().message;
    ModelUse use{.model = *model};
    for (size_t i = 0; i < std::size(kModelFormats); ++i) {
      if (kModelFormats[i] == of("format").as_string()) use.format = static_cast<ModelFormat>(i);
    }
    const InputSource inputs{static_cast<uint64_t>(of("seed").as_int()),
                             static_cast<uint64_t>(of("salt").as_int()), 0};
    std::vector<int32_t> tokens;
    for (const double token : numbers(of("tokens"))) {
      EXPECT_EQ(
          token_at(*model, inputs, of("sequence").as_int(), static_cast<int64_t>(tokens.size())),
          static_cast<int32_t>(token));
      tokens.push_back(static_cast<int32_t>(token));
    }
    std::vector<int64_t> positions;
    for (const double p : numbers(of("positions"))) positions.push_back(static_cast<int64_t>(p));
    const auto weights = synthetic(use, inputs.seed);
    const auto found = Forward(*model, *weights).run(tokens, positions);
    ASSERT_EQ(found.size(), positions.size());
    for (size_t n = 0; n < found.size(); ++n, ++compared) {
      EXPECT_LT(largest_difference(found[n], numbers(of("logits").as_array()[n])), 1e-11)
          << model->name << " after token " << positions[n];
    }
  }
  EXPECT_EQ(compared, 30u);
}

ModelConfig any_model() {
  const int64_t kv = *rc::gen::inRange<int64_t>(1, 3);
  ModelConfig model{
      .name = "any",
      .model_type = *rc::gen::element(ModelConfig::Type::llama, ModelConfig::Type::qwen3,
                                      ModelConfig::Type::mixtral, ModelConfig::Type::deepseek),
      .num_hidden_layers = *rc::gen::inRange<int64_t>(1, 4),
      .hidden_size = *rc::gen::inRange<int64_t>(1, 20),
      .num_attention_heads = kv * *rc::gen::inRange<int64_t>(1, 3),
      .num_key_value_heads = kv,
      .head_dim = 2 * *rc::gen::inRange<int64_t>(1, 5),
      .intermediate_size = *rc::gen::inRange<int64_t>(1, 20),
      .vocab_size = *rc::gen::inRange<int64_t>(2, 30),
      .tie_word_embeddings = *rc::gen::arbitrary<bool>(),
      .max_position_embeddings = 64};
  if (*rc::gen::arbitrary<bool>()) model.sliding_window = *rc::gen::inRange<int64_t>(1, 9);
  if (model.model_type == ModelConfig::Type::mixtral ||
      model.model_type == ModelConfig::Type::deepseek) {
    model.num_experts = *rc::gen::inRange<int64_t>(1, 5);
    model.num_experts_per_tok = *rc::gen::inRange<int64_t>(1, *model.num_experts + 1);
    model.norm_topk_prob = *rc::gen::arbitrary<bool>();
    model.first_k_dense_replace = *rc::gen::inRange<int64_t>(0, 2);
    model.n_shared_experts = *rc::gen::inRange<int64_t>(0, 3);
  }
  return model;
}

std::vector<int32_t> tokens_of(const ModelConfig& model, int64_t count) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back(token_at(model, {.seed = 3}, 0, i));
  return tokens;
}

// A prefill and then decodes are one prefill; so are chunks of any size.
RC_GTEST_PROP(Forward, TokensInPiecesAreTokensAtOnce, ()) {
  const ModelConfig model = any_model();
  const auto weights = synthetic({.model = model, .format = ModelFormat::f32}, 7);
  const auto tokens = tokens_of(model, *rc::gen::inRange<int64_t>(1, 16));
  std::vector<int64_t> every(tokens.size());
  std::iota(every.begin(), every.end(), 0);
  const auto whole = Forward(model, *weights).run(tokens, every);
  Forward pieces(model, *weights);
  for (size_t done = 0; done < tokens.size();) {
    const size_t take = *rc::gen::inRange<size_t>(1, tokens.size() - done + 1);
    const std::vector<int64_t> all(every.begin(), every.begin() + static_cast<ptrdiff_t>(take));
    const auto found = pieces.run(std::span(tokens).subspan(done, take), all);
    for (size_t n = 0; n < take; ++n) {
      RC_ASSERT(largest_difference(found[n], whole[done + n]) < 1e-11);
    }
    done += take;
  }
}

// Rotations tell distances apart, not places.
RC_GTEST_PROP(Forward, WhereASequenceBeginsDoesNotMatter, ()) {
  const ModelConfig model = any_model();
  const auto weights = synthetic({.model = model, .format = ModelFormat::f32}, 7);
  const auto tokens = tokens_of(model, 9);
  const std::vector<int64_t> last{8};
  Forward later(model, *weights);
  later.seek(*rc::gen::inRange<int64_t>(1, 50));
  RC_ASSERT(largest_difference(later.run(tokens, last)[0],
                               Forward(model, *weights).run(tokens, last)[0]) < 1e-9);
}

// What comes later changes nothing before, and a token out of the window nothing at all in one
// layer.
RC_GTEST_PROP(Forward, TokensSeeNoFurtherThanTheyMay, ()) {
  ModelConfig model = any_model();
  model.num_hidden_layers = 1;
  model.sliding_window = 3;
  const auto weights = synthetic({.model = model, .format = ModelFormat::f32}, 7);
  const auto tokens = tokens_of(model, 9);
  const auto changed = *rc::gen::inRange<size_t>(0, 9);
  auto others = tokens;
  others[changed] = (others[changed] + 1) % static_cast<int32_t>(model.vocab_size);
  std::vector<int64_t> every(9);
  std::iota(every.begin(), every.end(), 0);
  const auto a = Forward(model, *weights).run(tokens, every);
  const auto b = Forward(model, *weights).run(others, every);
  for (size_t i = 0; i < 9; ++i) {
    if (i < changed || i > changed + 2) RC_ASSERT(a[i] == b[i]);
  }
  RC_ASSERT(a[changed] != b[changed]);
}

ModelConfig any_small() {
  return {.name = "one",
          .num_hidden_layers = 1,
          .hidden_size = 8,
          .num_attention_heads = 1,
          .num_key_value_heads = 1,
          .head_dim = 4,
          .intermediate_size = 8,
          .vocab_size = 9,
          .max_position_embeddings = 64};
}

class GgufOfAModel : public testing::Test {
 protected:
  const file_bytes::Folder folder_;
  const std::string path_ = folder_ / "model.gguf";
  const InputSource inputs_{.seed = 4};
  ModelUse use_{.model = {.name = "small",
                          .model_type = ModelConfig::Type::deepseek,
                          .num_hidden_layers = 2,
                          .hidden_size = 64,
                          .num_attention_heads = 2,
                          .num_key_value_heads = 1,
                          .head_dim = 32,
                          .intermediate_size = 96,
                          .vocab_size = 40,
                          .max_position_embeddings = 64,
                          .num_experts = 4,
                          .num_experts_per_tok = 2,
                          .moe_intermediate_size = 32,
                          .n_shared_experts = 1,
                          .first_k_dense_replace = 1},
                .format = ModelFormat::q8_0};
  ~GgufOfAModel() override { std::filesystem::remove(path_); }

  const ModelConfig stored_ = use_.model;

  // A file of those tensors, and what a use of it finds.
  Result<std::unique_ptr<ModelWeights>> rows(const std::vector<WeightTensor>& tensors) {
    std::vector<GgufTensor> list;
    for (const WeightTensor& t : tensors) {
      list.push_back({.name = t.name, .format = t.format, .shape = t.shape});
    }
    const auto fill = [&](const GgufTensor& tensor, uint64_t first, std::span<std::byte> out) {
      const auto block = static_cast<uint64_t>(block_bytes(tensor.format));
      for (const WeightTensor& t : tensors) {
        if (t.name != tensor.name) continue;
        fill_weight(t, inputs_, static_cast<int64_t>(first / block),
                    static_cast<int64_t>(out.size() / block), out.data());
      }
    };
    EXPECT_TRUE(write_gguf(path_, *gguf_metadata(stored_, use_.format), list, fill));
    ModelUse use = use_;
    use.file = ModelFile{.path = path_, .label = "Q8_0"};
    return weight_rows(use, inputs_);
  }
};

TEST_F(GgufOfAModel, SaysWhatTheSameWeightsSayWithoutAFile) {
  const auto file = rows(weights(use_.model, use_.format));
  ASSERT_TRUE(file) << file.error().message;
  const auto tokens = tokens_of(use_.model, 7);
  const std::vector<int64_t> last{6};
  EXPECT_EQ(Forward(use_.model, **file).run(tokens, last),
            Forward(use_.model, *synthetic(use_, inputs_.seed)).run(tokens, last));
}

// What a file holds beyond the model (a bias, factors of RoPE) others would use.
TEST_F(GgufOfAModel, OfOtherTensorsIsRefused) {
  auto tensors = weights(use_.model, use_.format);
  tensors.push_back({.name = "rope_freqs.weight", .role = WeightTensor::Role::norm, .shape = {16}});
  EXPECT_NE(rows(tensors).error().message.find("rope_freqs"), std::string::npos);
  tensors.pop_back();
  tensors.back().shape[0] += 1;
  EXPECT_NE(rows(tensors).error().message.find("output.weight"), std::string::npos);
  tensors.back().shape[0] -= 1;
  use_.model.rope_theta = 5000;
  EXPECT_NE(rows(tensors).error().message.find("another model"), std::string::npos);
}

TEST(Forward, AMissingTensorIsNamed) {
  ModelConfig model = any_small();
  const auto weights = synthetic({.model = model, .format = ModelFormat::f32}, 1);
  model.num_hidden_layers += 1;
  try {
    Forward(model, *weights);
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("blk.1.attn_norm.weight"), std::string::npos) << e.what();
  }
}

}  // namespace
