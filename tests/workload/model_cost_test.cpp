// Costs of prefill and decode, against a slow count that goes token by token and pass by pass over
// tensors listed here by hand, and by what has to hold between costs.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "paths.h"
#include "workload/model/cost.h"
#include "workload/model/find.h"
#include "workload/model/weights.h"
#include "workload/workload.h"

namespace {

using namespace ridge;

ModelConfig known(const std::string& name) { return find_model(name, paths::data()).value().model; }

// A model as the slow count sees it: a layer's matrices as [rows, columns].
struct Matrix {
  double rows, columns;
  bool caches = false;   // makes keys or values
  bool queries = false;  // makes queries, or takes what attention gave
  bool expert = false;   // of one expert
  double norm = 0;       // of f32 elements that stand before it
};
struct Hand {
  ModelConfig model;
  std::vector<Matrix> layer;  // the same in all layers
};

Hand tiny_llama() {
  return {known("tiny-llama"),
          {{256, 256, false, true},
           {128, 256, true, false, false, 256},  // with attn_norm
           {128, 256, true},
           {256, 256, false, true},
           {512, 256, false, false, false, 256},  // with ffn_norm
           {512, 256},
           {256, 512}}};
}
Hand tiny_moe() {
  return {known("tiny-moe"),
          {{256, 256, false, true},
           {128, 256, true, false, false, 256},
           {128, 256, true},
           {256, 256, false, true},
           {8, 256, false, false, false, 256},  // the router, which is f32 in every format
           {256, 256, false, false, true},
           {256, 256, false, false, true},
           {256, 256, false, false, true}}};
}

double touched(double all, double chosen, double tokens) {
  return all * (1 - std::pow(1 - chosen / all, tokens));
}

// f32 weights throughout, so that elements are 4 bytes; keys and values in f16.
Cost slow(const Hand& hand, int64_t batch, int64_t depth, int64_t tokens, int64_t outputs,
          int64_t micro) {
  const ModelConfig& m = hand.model;
  const double layers = static_cast<double>(m.num_hidden_layers), vocab = 512, hidden = 256;
  const double experts = static_cast<double>(m.num_experts.value_or(0));
  const double chosen = static_cast<double>(m.num_experts_per_tok.value_or(0));
  const auto window = m.sliding_window.value_or(int64_t{1} << 40);
  Cost cost;
  const auto has_logits = [&](int64_t token) { return token % tokens >= tokens - outputs; };
  for (int64_t token = 0; token < batch * tokens; ++token) {
    const bool logits = has_logits(token);
    for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
      const bool last = layer == m.num_hidden_layers - 1;
      for (const Matrix& x : hand.layer) {
        const double flops = 2 * x.rows * x.columns * (x.expert ? chosen : 1);
        if (!last || x.caches || logits) cost.model_flops += flops;
        if (!last || x.caches || x.queries || logits) cost.executed_flops += flops;
      }
      for (int64_t key = 0; key <= depth + token % tokens; ++key) {
        if (key <= depth + token % tokens - window) continue;
        const double pair = 4 * 4 * 64;  // 4 heads of 64: with a key, with a value
        cost.executed_flops += pair;
        if (!last || logits) cost.model_flops += pair;
      }
    }
    if (logits) {
      cost.model_flops += 2 * vocab * hidden;
      cost.executed_flops += 2 * vocab * hidden;
      cost.bytes_written += 4 * vocab;
    }
    cost.bytes_written += layers * 2 * 128 * 2;
  }
  for (int64_t first = 0; first < batch * tokens; first += micro) {
    const int64_t end = std::min(first + micro, batch * tokens);
    double here = 0, with_logits = 0;
    for (int64_t token = first; token < end; ++token) ++here, with_logits += has_logits(token);
    cost.bytes_read += 4 * hidden * touched(vocab, 1, here);
    for (int64_t layer = 0; layer < m.num_hidden_layers; ++layer) {
      const bool last = layer == m.num_hidden_layers - 1;
      for (const Matrix& x : hand.layer) {
        const double users = last && !x.caches ? with_logits : here;
        if (users == 0) continue;
        const double copies = x.expert ? touched(experts, chosen, users) : 1;
        cost.bytes_read += 4 * (x.rows * x.columns * copies + x.norm);
      }
    }
    if (with_logits > 0) cost.bytes_read += 4 * (vocab * hidden + hidden);
  }
  return cost;
}
// Keys and values read by passes of `micro` tokens of one sequence.
double slow_cache(const Hand& hand, int64_t depth, int64_t tokens, int64_t micro) {
  const ModelConfig& m = hand.model;
  const auto window = m.sliding_window.value_or(int64_t{1} << 40);
  double bytes = 0;
  for (int64_t first = depth; first < depth + tokens; first += micro) {
    for (int64_t key = 0; key < first; ++key) {
      if (key > first - window) {
        bytes += static_cast<double>(m.num_hidden_layers) * 2 * 128 * 2;
      }
    }
  }
  return bytes;
}

bool near(double a, double b) { return std::fabs(a - b) <= 1e-11 * std::fabs(b); }

Hand any_hand() {
  Hand hand = *rc::gen::element(tiny_llama(), tiny_moe());
  if (*rc::gen::inRange(0, 2)) hand.model.sliding_window = *rc::gen::inRange<int64_t>(1, 90);
  return hand;
}
ModelUse use_of(const Hand& hand, int64_t batch, int64_t depth) {
  return {.model = hand.model, .format = ModelFormat::f32, .batch = batch, .depth = depth};
}

RC_GTEST_PROP(ModelCost, OfAPromptIsThatOfTheSlowCount, ()) {
  const Hand hand = any_hand();
  const auto depth = *rc::gen::inRange<int64_t>(0, 60), tokens = *rc::gen::inRange<int64_t>(1, 60);
  const auto micro = *rc::gen::inRange<int64_t>(1, 70);
  const bool all = *rc::gen::inRange(0, 2) == 0;
  const Cost fast = prefill_cost(use_of(hand, 1, depth), tokens, all ? tokens : 1, micro);
  const Cost want = slow(hand, 1, depth, tokens, all ? tokens : 1, micro);
  RC_ASSERT(near(fast.model_flops, want.model_flops));
  RC_ASSERT(near(fast.executed_flops, want.executed_flops));
  RC_ASSERT(near(fast.bytes_written, want.bytes_written));
  RC_ASSERT(near(fast.bytes_read, want.bytes_read + slow_cache(hand, depth, tokens, micro)));
}

// Sequences share passes; each one's cache is read as often as it alone would need.
RC_GTEST_PROP(ModelCost, OfSeveralPromptsIsThatOfTheSlowCount, ()) {
  const Hand hand = any_hand();
  const auto batch = *rc::gen::inRange<int64_t>(1, 6), depth = *rc::gen::inRange<int64_t>(0, 30);
  const auto tokens = *rc::gen::inRange<int64_t>(1, 30), micro = *rc::gen::inRange<int64_t>(1, 70);
  const Cost fast = prefill_cost(use_of(hand, batch, depth), tokens, tokens, micro);
  const Cost want = slow(hand, batch, depth, tokens, tokens, micro);
  const double cache = static_cast<double>(batch) * slow_cache(hand, depth, tokens, micro);
  RC_ASSERT(near(fast.model_flops, want.model_flops));
  RC_ASSERT(near(fast.bytes_read, want.bytes_read + cache));
  RC_ASSERT(near(fast.bytes_written, want.bytes_written));
}

RC_GTEST_PROP(ModelCost, OfDecodeIsASumOverGrowingDepth, ()) {
  const Hand hand = any_hand();
  const auto batch = *rc::gen::inRange<int64_t>(1, 9), depth = *rc::gen::inRange<int64_t>(0, 60);
  const auto tokens = *rc::gen::inRange<int64_t>(1, 40), micro = *rc::gen::inRange<int64_t>(1, 12);
  const Cost whole = decode_cost(use_of(hand, batch, depth), tokens, micro);
  Cost sum, want;
  for (int64_t i = 0; i < tokens; ++i) {
    const Cost one = decode_cost(use_of(hand, batch, depth + i), 1, micro);
    const Cost by_hand = slow(hand, batch, depth + i, 1, 1, micro);
    sum.model_flops += one.model_flops;
    sum.bytes_read += one.bytes_read;
    sum.bytes_written += one.bytes_written;
    want.model_flops += by_hand.model_flops;
    want.bytes_read +=
        by_hand.bytes_read + static_cast<double>(batch) * slow_cache(hand, depth + i, 1, 1);
  }
  RC_ASSERT(near(whole.model_flops, sum.model_flops) && near(sum.model_flops, want.model_flops));
  RC_ASSERT(near(whole.bytes_read, sum.bytes_read) && near(sum.bytes_read, want.bytes_read));
  RC_ASSERT(near(whole.bytes_written, sum.bytes_written));
  RC_ASSERT(whole.executed_flops == whole.model_flops);
  RC_ASSERT(whole.count == static_cast<double>(batch * tokens));
}

// The same tokens cost the same FLOPs as a prompt with all logits and one by one.
RC_GTEST_PROP(ModelCost, OfAPromptAndOfItsTokensAreTheSameFlops, ()) {
  const char* names[] = {"mistral-7b", "mixtral-8x7b", "qwen3-0.6b", "deepseek-moe-16b"};
  const ModelConfig model =
      known(*rc::gen::elementOf(std::vector(std::begin(names), std::end(names))));
  const auto tokens = *rc::gen::inRange<int64_t>(1, 9000),
             depth = *rc::gen::inRange<int64_t>(0, 9000);
  const ModelUse use{.model = model, .format = ModelFormat::q8_0, .depth = depth};
  const Cost prompt = prefill_cost(use, tokens, tokens, 512),
             decode = decode_cost(use, tokens, 512);
  RC_ASSERT(near(prompt.model_flops, decode.model_flops));
  RC_ASSERT(prompt.bytes_read <= decode.bytes_read * (1 + 1e-12));
  const Cost last = prefill_cost(use, tokens, 1, 512);
  RC_ASSERT(last.model_flops <= last.executed_flops * (1 + 1e-12));
  RC_ASSERT(last.executed_flops <= prompt.executed_flops * (1 + 1e-12));
  RC_ASSERT(last.bytes_read <= prompt.bytes_read * (1 + 1e-12));
}

// A dense model is a mixture whose token goes to all experts; their widths add up.
TEST(ModelCost, OfADenseModelIsThatOfAMixtureOfAllExperts) {
  ModelConfig dense = known("tiny-llama"), mixture = dense;
  dense.intermediate_size = 1024;
  mixture.num_experts = mixture.num_experts_per_tok = 4;
  mixture.moe_intermediate_size = 256;
  mixture.norm_topk_prob = true;
  const auto router = 3.0 * 4 * 256;  // elements, all layers
  for (const int64_t tokens : {1, 7, 2000}) {
    const Cost a = decode_cost({.model = dense, .format = ModelFormat::f32}, tokens, 512);
    const Cost b = decode_cost({.model = mixture, .format = ModelFormat::f32}, tokens, 512);
    const auto t = static_cast<double>(tokens);
    EXPECT_DOUBLE_EQ(b.model_flops, a.model_flops + 2 * t * router);
    EXPECT_DOUBLE_EQ(b.bytes_read, a.bytes_read + 4 * t * router);
  }
}

// One expert of 8, by 1 token: 1. 2 of 64 by two tokens: 64·(1 - (62/64)²) = 3.9375.
TEST(ModelCost, CountsExpertsThatAreExpectedToBeTouched) {
  ModelConfig m = known("tiny-moe");
  m.num_experts_per_tok = 1;
  const auto read = [&](int64_t batch) {
    return decode_cost({.model = m, .format = ModelFormat::f32, .batch = batch}, 1, 512).bytes_read;
  };
  const double expert = 3.0 * 256 * 256 * 4 * 2, row = 256 * 4;  // bytes, both layers
  const auto rows = [&](double tokens) { return row * touched(512, 1, tokens); };
  const double without = read(1) - expert - rows(1);
  EXPECT_NEAR(read(2), without + expert * touched(8, 1, 2) + rows(2), 1e-3);
  EXPECT_NEAR(read(500), without + expert * 8 + rows(500), expert * 1e-9);
  m.num_experts = 64;
  m.num_experts_per_tok = 2;
  const double router = 2.0 * 56 * 256 * 4;
  EXPECT_NEAR(read(2), without + router + expert * 3.9375 + rows(2), 1e-3);
}

// Decode of one token of Mistral-7B reads all weights but the embedding.
TEST(ModelCost, OfDecodeReadsTheWeightsOnce) {
  for (const char* name : {"mistral-7b", "qwen3-0.6b", "stories110m"}) {
    for (const ModelFormat format : every_choice<ModelFormat>()) {
      const ModelUse use{.model = known(name), .format = format};
      const WeightBytes bytes = weight_bytes(use.model, format);
      const double row =
          static_cast<double>(bytes.embedding) / static_cast<double>(use.model.vocab_size);
      EXPECT_DOUBLE_EQ(decode_cost(use, 1, 512).bytes_read,
                       static_cast<double>(bytes.matrix) + row);
    }
  }
}

// A file's bytes are its own; of the sizes that the format gives, they cost the same.
TEST(ModelCost, OfAFileIsThatOfItsFormat) {
  const ModelConfig m = known("deepseek-moe-16b");
  const WeightBytes bytes = weight_bytes(m, ModelFormat::f16);
  ModelUse synthetic{.model = m, .format = ModelFormat::f16, .batch = 3, .depth = 100};
  ModelUse file = synthetic;
  file.format = ModelFormat::f32;
  file.file = {.path = "x.gguf",
               .label = "F16",
               .matrix_bytes = bytes.matrix,
               .embedding_bytes = bytes.embedding,
               .expert_bytes = bytes.expert};
  for (const int64_t tokens : {1, 700}) {
    const Cost a = prefill_cost(synthetic, tokens, 1, 256), b = prefill_cost(file, tokens, 1, 256);
    EXPECT_NEAR(b.bytes_read / a.bytes_read, 1, 1e-9);
    EXPECT_EQ(b.footprint, a.footprint);
    EXPECT_EQ(b.model_flops, a.model_flops);
  }
  file.file->expert_bytes /= 2;
  EXPECT_LT(decode_cost(file, 1, 512).bytes_read, decode_cost(synthetic, 1, 512).bytes_read);
}

TEST(ModelCost, OfALoadIsTheWeightsOnceAndAPrompt) {
  for (const auto format : {ModelFormat::f16, ModelFormat::q8_0}) {
    const LoadModel load{{.model = known("qwen3-0.6b"), .format = format}, 8};
    const Cost c = cost(load, Settings{});
    EXPECT_EQ(c.rate_work(), static_cast<double>(weight_bytes(load.use.model, format).all()));
    EXPECT_EQ(c.rate_unit, RateUnit::byte_per_s);
    EXPECT_EQ(c.model_flops, cost(prompt_of(load), Settings{}).model_flops);
  }
  const LoadModel load{{.model = known("qwen3-0.6b"), .format = ModelFormat::q8_0}, 8};
  EXPECT_EQ(work_key(load), "load_model/qwen3-0.6b/q8_0/pp8");
  EXPECT_EQ(test_name(load), "load+pp8");
  const auto again = parse_workload(to_json(Workload(load)), "test");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(*again, Workload(load));
  EXPECT_EQ(to_json(*again).find("batch"), nullptr);  // it has one sequence
}

// The longest that is allowed, and settings reach the cost.
TEST(ModelCost, OfMillionsOfTokensIsQuickAndSettingsCount) {
  const ModelUse use{.model = known("mistral-7b"), .format = ModelFormat::q4_k_m};
  const int64_t most = 1 << 24;
  const Cost c = decode_cost(use, most, 512);
  EXPECT_GT(c.bytes_read, 4e9 * static_cast<double>(most));
  const auto at = [&](int micro) {
    return cost(Workload(Prefill{.use = use, .tokens = 4096}), Settings{.micro_batch = micro});
  };
  EXPECT_EQ(at(0).bytes_read, at(512).bytes_read);
  const double weights = static_cast<double>(weight_bytes(use.model, use.format).matrix);
  EXPECT_LT(at(4096).bytes_read, 1.3 * weights);
  EXPECT_GT(at(512).bytes_read, 7.5 * weights);
  EXPECT_EQ(at(4096).model_flops, at(512).model_flops);
}

}  // namespace
