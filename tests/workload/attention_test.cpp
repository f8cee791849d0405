// Kind attention: its account of pairs, FLOPs and bytes, and the float64 reference against
// independent computations.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>
#include <sstream>

#include "any_work.h"
#include "paths.h"

namespace {

using namespace ridge;
using Mask = Attention::Mask;
using Pass = Attention::Pass;
using Vector = std::vector<double>;

// The mask as its definition says, pair by pair.
bool sees(const Attention& a, int64_t query, int64_t key) {
  if (a.mask == Mask::none) return true;
  const int64_t position = query + a.seq_kv - a.seq_q;
  return key <= position && (a.mask == Mask::causal || key > position - *a.window);
}

RC_GTEST_PROP(Attention, PairsAreThoseCountedOneByOne, ()) {
  const Attention a = workload_test::any_attention(3, 40);
  int64_t pairs = 0;
  for (int64_t i = 0; i < a.seq_q; ++i) {
    for (int64_t j = 0; j < a.seq_kv; ++j) {
      RC_ASSERT((j >= a.first_key(i) && j < a.last_key(i)) == sees(a, i, j));
      pairs += sees(a, i, j);
    }
  }
  RC_ASSERT(a.visible_pairs() == pairs);
  RC_ASSERT(pairs > 0);
}

RC_GTEST_PROP(Attention, CostCountsPairsAndTensors, ()) {
  const Attention a = workload_test::any_attention(4, 30);
  double pairs = 0, seen_keys = 0;
  for (int64_t j = 0; j < a.seq_kv; ++j) {
    int64_t queries = 0;
    for (int64_t i = 0; i < a.seq_q; ++i) queries += sees(a, i, j);
    pairs += static_cast<double>(queries);
    seen_keys += queries > 0;
  }
  const auto n = [](int64_t value) { return static_cast<double>(value); };
  const bool bwd = a.pass == Pass::bwd;
  const double forward = 4 * n(a.batch) * n(a.heads) * n(a.head_dim) * pairs;
  const double width = bytes_of(a.dtype), all_pairs = n(a.seq_q) * n(a.seq_kv);
  const double query_bytes = width * n(a.batch) * n(a.heads) * n(a.seq_q) * n(a.head_dim);
  const double row_of_keys = width * n(a.batch) * n(a.kv_heads) * n(a.head_dim);

  const Cost fused = cost(a, {});
  RC_ASSERT(fused.model_flops == forward * (bwd ? 2 : 1));
  RC_ASSERT(fused.executed_flops == forward * (bwd ? 2.5 : 1));
  // q k v, and o and its gradient; keys that no query sees are not read.
  RC_ASSERT(fused.bytes_read == (bwd ? 3 : 1) * query_bytes + 2 * row_of_keys * seen_keys);
  RC_ASSERT(fused.bytes_written == query_bytes + (bwd ? 2 * row_of_keys * n(a.seq_kv) : 0));

  const Cost unfused = cost(a, {.backend = "unfused"});
  RC_ASSERT(unfused.model_flops == fused.model_flops);
  RC_ASSERT(std::fabs(unfused.executed_flops / (fused.model_flops / pairs * all_pairs) - 1) <
            1e-12);
  const double matrix = width * n(a.batch) * n(a.heads) * all_pairs;
  RC_ASSERT(unfused.bytes_read == fused.bytes_read + (bwd ? 2 : 1) * matrix);
  RC_ASSERT(unfused.bytes_written == fused.bytes_written + matrix);
  RC_ASSERT(cost(a, {.backend = "math"}).executed_flops == unfused.executed_flops);
  RC_ASSERT(cost(a, {.backend = "flash"}).executed_flops == fused.executed_flops);
}

TEST(Attention, CostByHand) {
  // 8 heads of 128, 2048 by 2048, causal: 2048·2049/2 pairs; 4·8·128 FLOP each.
  const Attention a{.heads = 8,
                    .kv_heads = 8,
                    .seq_q = 2048,
                    .seq_kv = 2048,
                    .head_dim = 128,
                    .mask = Mask::causal};
  EXPECT_EQ(a.visible_pairs(), 2'098'176);
  EXPECT_EQ(cost(a, {}).model_flops, 8'594'128'896.0);
  // q, k, v in and o out: 2048·8·128 elements of 4 bytes each.
  EXPECT_EQ(cost(a, {}).bytes_read, 3 * 8'388'608.0);
  EXPECT_EQ(cost(a, {}).bytes_written, 8'388'608.0);
  EXPECT_EQ(cost(a, {}).rate_unit, RateUnit::flop_per_s);
  EXPECT_EQ(work_key(a), "attention/f32/b1/h8/s2048/d128/causal");
}

TEST(Attention, WhatCannotBeIsRefusedSayingWhy) {
  const std::string base = R"("kind":"attention","dtype":"f32","batch":1,"head_dim":8)";
  const std::pair<const char*, const char*> cases[] = {
      {R"("heads":4,"kv_heads":3,"seq_q":2,"seq_kv":2)", "kv_heads must divide heads"},
      {R"("heads":4,"kv_heads":4,"seq_q":3,"seq_kv":2,"mask":"causal")", "seq_q must be at most"},
      {R"("heads":4,"kv_heads":4,"seq_q":3,"seq_kv":2,"mask":"window","window":9)",
       "seq_q must be"},
      {R"("heads":4,"kv_heads":4,"seq_q":2,"seq_kv":2,"mask":"window")", "window belongs"},
      {R"("heads":4,"kv_heads":4,"seq_q":2,"seq_kv":2,"mask":"causal","window":2)",
       "window belongs"},
      {R"("heads":4,"kv_heads":4,"seq_q":2,"seq_kv":2,"mask":"window","window":0)",
       "window must lie"},
      {R"("heads":0,"kv_heads":1,"seq_q":2,"seq_kv":2)", "heads must lie"},
      {R"("heads":1,"kv_heads":1,"seq_q":2,"seq_kv":16777217)", "seq_kv must lie"},
      {R"("heads":1,"kv_heads":1,"seq_q":2,"seq_kv":2,"mask":"full")", "mask"},
      {R"("heads":1,"kv_heads":1,"seq_q":2,"seq_kv":2,"pass":"both")", "pass"},
      {R"("heads":1,"kv_heads":1,"seq_q":2)", "seq_kv"},
      {R"("heads":65536,"kv_heads":65536,"seq_q":16777216,"seq_kv":16777216)", "16 TiB"},
  };
  for (const auto& [fields, says] : cases) {
    const auto json = Json::parse("{" + base + "," + fields + "}");
    ASSERT_TRUE(json.ok());
    const auto work = parse_workload(*json, "here");
    ASSERT_FALSE(work.ok()) << fields;
    EXPECT_NE(work.error().message.find(says), std::string::npos) << work.error().message;
  }
  for (const char* dtype : {"int8", "f64", "fp8"}) {
    Json json =
        to_json(Attention{.heads = 1, .kv_heads = 1, .seq_q = 1, .seq_kv = 1, .head_dim = 1});
    json.set("dtype", dtype);
    EXPECT_FALSE(parse_workload(json, "here").ok()) << dtype;
  }
}

std::vector<int64_t> all_elements(const Attention& a, std::string_view tensor) {
  for (const TensorSpec& spec : tensors(a)) {
    if (spec.name != tensor) continue;
    std::vector<int64_t> out(static_cast<size_t>(spec.elements()));
    std::iota(out.begin(), out.end(), 0);
    return out;
  }
  return {};
}

Vector input(const Attention& a, const InputSource& inputs, std::string_view name) {
  Vector out;
  for (const TensorSpec& spec : tensors(a)) {
    if (spec.name != name) continue;
    for (int64_t i = 0; i < spec.elements(); ++i) {
      out.push_back(random_element(inputs.key(name), spec.dtype, spec.scale, i));
    }
  }
  return out;
}

TEST(AttentionReference, IsWhatPlainPythonFinds) {
  std::ifstream file(paths::here() + "/data/attention_vectors.json");
  std::stringstream text;
  text << file.rdbuf();
  const Json vectors = Json::parse(text.str()).value();
  const InputSource inputs{.seed = static_cast<uint64_t>(vectors.find("seed")->as_int()),
                           .salt = static_cast<uint64_t>(vectors.find("salt")->as_int()),
                           .copy = vectors.find("copy")->as_int()};
  int64_t compared = 0;
  for (const Json& one : vectors.find("cases")->as_array()) {
    const auto parsed = parse_workload(*one.find("work"), "case");
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    auto a = std::get<Attention>(*parsed);
    SCOPED_TRACE(work_key(a));
    EXPECT_EQ(a.visible_pairs(), one.find("visible_pairs")->as_int());
    for (const char* tensor : {"o", "grad_q", "grad_k", "grad_v"}) {
      a.pass = tensor == std::string("o") ? Pass::fwd : Pass::bwd;
      const auto& values = one.find(tensor)->as_array();
      const auto elements = all_elements(a, tensor);
      ASSERT_EQ(elements.size(), values.size());
      const auto found = expected(a, inputs, tensor, elements);
      ASSERT_EQ(found.size(), values.size());
      for (size_t i = 0; i < values.size(); ++i, ++compared) {
        EXPECT_NEAR(found[i].value, values[i].as_double(), 1e-12) << tensor << "[" << i << "]";
      }
    }
  }
  EXPECT_GT(compared, 700);
}

// The sum of grad_o times o: what the gradients are the derivatives of.
double loss(const Attention& a, const Vector& q, const Vector& k, const Vector& v,
            const Vector& g) {
  const auto d = static_cast<size_t>(a.head_dim);
  double sum = 0;
  for (int64_t row = 0; row < a.batch * a.heads * a.seq_q; ++row) {
    const int64_t batch = row / (a.heads * a.seq_q), head = row / a.seq_q % a.heads;
    const int64_t kv = batch * a.kv_heads + head / (a.heads / a.kv_heads);
    double total = 0, weighted = 0;
    for (int64_t j = 0; j < a.seq_kv; ++j) {
      if (!sees(a, row % a.seq_q, j)) continue;
      const auto at = static_cast<size_t>(kv * a.seq_kv + j) * d,
                 from = static_cast<size_t>(row) * d;
      double score = 0, gain = 0;
      for (size_t c = 0; c < d; ++c) {
        score += q[from + c] * k[at + c];
        gain += g[from + c] * v[at + c];
      }
      const double p = std::exp(score / std::sqrt(static_cast<double>(a.head_dim)));
      total += p;
      weighted += p * gain;
    }
    sum += weighted / total;
  }
  return sum;
}

RC_GTEST_PROP(AttentionReference, GradientsAreTheSlopesOfTheForwardPass, ()) {
  Attention a = workload_test::any_attention(3, 12);
  a.head_dim = *rc::gen::inRange<int64_t>(1, 9);
  a.pass = Pass::bwd;
  const InputSource inputs{.seed = *rc::gen::arbitrary<uint64_t>(), .salt = 1, .copy = 0};
  Vector q = input(a, inputs, "q"), k = input(a, inputs, "k"), v = input(a, inputs, "v");
  const Vector g = input(a, inputs, "grad_o");
  const auto pick = *rc::gen::inRange<int64_t>(0, 1 << 20);
  for (auto& [tensor, values] :
       {std::pair<const char*, Vector*>{"grad_q", &q}, {"grad_k", &k}, {"grad_v", &v}}) {
    const auto at = static_cast<size_t>(pick) % values->size();
    const double here = (*values)[at], step = 1e-5;
    (*values)[at] = here + step;
    const double above = loss(a, q, k, v, g);
    (*values)[at] = here - step;
    const double below = loss(a, q, k, v, g);
    (*values)[at] = here;
    const int64_t element = static_cast<int64_t>(at);
    const auto found = expected(a, inputs, tensor, std::span(&element, 1));
    RC_ASSERT(found.size() == 1u);
    RC_ASSERT(std::fabs(found[0].value - (above - below) / (2 * step)) < 1e-6);
  }
}

// What is checked of a large shape is what is right of a small one: some rows alone, or all.
RC_GTEST_PROP(AttentionReference, AnElementDoesNotDependOnWhichOthersAreAsked, ()) {
  const Attention a = workload_test::any_attention(3, 20);
  const InputSource inputs{.seed = 5, .salt = 6, .copy = 7};
  for (const TensorSpec& spec : tensors(a)) {
    if (spec.role != TensorSpec::Role::output) continue;
    const auto all = expected(a, inputs, spec.name, all_elements(a, spec.name));
    const int64_t element = *rc::gen::inRange<int64_t>(0, spec.elements());
    const auto one = expected(a, inputs, spec.name, std::span(&element, 1));
    const Expected& same = all[static_cast<size_t>(element)];
    RC_ASSERT(std::fabs(one[0].value - same.value) <= 1e-14);
    RC_ASSERT(std::fabs(one[0].tolerance - same.tolerance) <= 1e-6 * same.tolerance);
  }
}

TEST(AttentionReference, AMillionValuesAreNeverAskedFor) {
  const TensorKey key = tensor_key(1, 2, 3, "elements");
  for (const auto pass : {Pass::fwd, Pass::bwd}) {
    for (const Attention& a :
         {Attention{.heads = 8, .kv_heads = 8, .seq_q = 1, .seq_kv = 4096, .head_dim = 128},
          Attention{.batch = 1 << 20,
          .heads = 1,
          .kv_heads = 1,
          .seq_q = 1,
          .seq_kv = 1,
          .head_dim = 8}}) {
      Attention work = a;
      work.pass = pass;
      for (const TensorSpec& spec : tensors(work)) {
        EXPECT_LE(elements_to_check(work, spec.name, 256, key).size(), 100'000u)
            << work_key(work) << " " << spec.name;
      }
    }
  }
}

// Work that is checked again and again after timing: no output goes without.
TEST(AttentionReference, AfterTimingEveryOutputIsLookedAt) {
  for (const Mask mask : {Mask::none, Mask::causal, Mask::window}) {
    for (const int64_t length : {8, 700, 2048, 100'000}) {
      for (const auto pass : {Pass::fwd, Pass::bwd}) {
        Attention work{
            .heads = 8, .kv_heads = 2, .seq_q = length, .seq_kv = length, .head_dim = 128};
        work.mask = mask;
        work.pass = pass;
        if (mask == Mask::window) work.window = 5;
        for (const TensorSpec& spec : tensors(work)) {
          if (spec.role != TensorSpec::Role::output) continue;
          for (const int64_t want : {1, 4, 64}) {
            const auto elements =
                elements_to_check(work, spec.name, want, tensor_key(1, 2, 3, "x"));
            EXPECT_GE(elements.size(), 128u) << work_key(work) << " " << spec.name;
            EXPECT_LE(elements.size(), 256u) << work_key(work) << " " << spec.name;
          }
        }
      }
    }
  }
}

// One key of many queries, from those that weigh most. All of them together, which two keys are
// asked for at once to have, are the truth: it lies within, and nothing else does.
TEST(AttentionReference, OneKeyOfALongSequenceIsRightWithinItsTolerance) {
  Attention a{.heads = 4, .kv_heads = 2, .seq_q = 600, .seq_kv = 1000, .head_dim = 64};
  a.pass = Pass::bwd;
  ASSERT_TRUE(asks_one_key(a));
  const auto d = static_cast<size_t>(a.head_dim);
  const auto row_and_next = [&](int64_t row) {
    std::vector<int64_t> elements;
    for (int64_t i = 0; i < 2 * a.head_dim; ++i) elements.push_back(row * a.head_dim + i);
    return elements;
  };
  for (const DType dtype : {DType::f32, DType::bf16}) {
    a.dtype = dtype;
    for (const char* tensor : {"grad_k", "grad_v"}) {
      for (const int64_t row : {0, 517, 1300}) {
        SCOPED_TRACE(work_key(a) + " " + tensor + " row " + std::to_string(row));
        const InputSource inputs{.seed = 3, .salt = 4, .copy = row}, other{.seed = 3, .salt = 5};
        const auto elements = row_and_next(row);
        const std::span<const int64_t> alone(elements.data(), d);
        const auto found = expected(a, inputs, tensor, alone);
        const auto truth = expected(a, inputs, tensor, elements);
        const auto stale = expected(a, other, tensor, elements);
        ASSERT_EQ(found.size(), d);
        int zeros = 0, stales = 0;
        for (size_t i = 0; i < d; ++i) {
          // An honest answer may be as far from the truth as the truth's own tolerance.
          EXPECT_LE(std::fabs(found[i].value - truth[i].value) + truth[i].tolerance,
                    found[i].tolerance);
          if (std::fabs(found[i].value) > found[i].tolerance) ++zeros;
          if (std::fabs(found[i].value - stale[i].value) > found[i].tolerance) ++stales;
        }
        EXPECT_GT(zeros, a.head_dim / 8);
        EXPECT_GT(stales, a.head_dim / 8);
      }
    }
  }
}

}  // namespace
