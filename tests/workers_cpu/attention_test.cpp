#include "worker_fixture.h"

namespace ridge {
namespace {

using Mask = Attention::Mask;
using Pass = Attention::Pass;

class CpuAttention : public CpuWorkerTest {
 protected:
  static Attention shape(DType dtype, int64_t heads, int64_t kv_heads, int64_t seq_q,
                         int64_t seq_kv, int64_t head_dim, Mask mask) {
    Attention a{.dtype = dtype,
                .heads = heads,
                .kv_heads = kv_heads,
                .seq_q = seq_q,
                .seq_kv = seq_kv,
                .head_dim = head_dim,
                .mask = mask};
    if (mask == Mask::window) a.window = 7;
    return a;
  }

  static void expect_shapes(DType dtype, const std::string& backend) {
    if (!has_dtype(dtype)) {
      const auto why = refusal(shape(dtype, 1, 1, 2, 2, 8, Mask::none), {.backend = backend});
      ASSERT_TRUE(why);
      EXPECT_NE(why->find(name(dtype)), std::string::npos) << *why;
      GTEST_SKIP() << *why;
    }
    for (Attention a :
         {shape(dtype, 1, 1, 1, 1, 1, Mask::none), shape(dtype, 2, 1, 33, 33, 64, Mask::causal),
          shape(dtype, 4, 2, 17, 65, 80, Mask::causal),
          shape(dtype, 8, 2, 1, 129, 128, Mask::causal),
          shape(dtype, 3, 3, 31, 40, 96, Mask::window), shape(dtype, 6, 2, 9, 5, 17, Mask::none),
          shape(dtype, 2, 2, 130, 130, 64, Mask::none)}) {
      for (const int64_t batch : {1, 2}) {
        for (const Pass pass : {Pass::fwd, Pass::bwd}) {
          a.batch = batch;
          a.pass = pass;
          expect_right(a, {.cache = CacheMode::hot, .backend = backend});
          if (HasFatalFailure()) return;
        }
      }
    }
  }
};

TEST_F(CpuAttention, F32IsRight) {
  expect_shapes(DType::f32, "");
  expect_shapes(DType::f32, "unfused");
}
TEST_F(CpuAttention, Bf16IsRight) {
  expect_shapes(DType::bf16, "");
  expect_shapes(DType::bf16, "unfused");
}
TEST_F(CpuAttention, F16IsRightOrRefused) { expect_shapes(DType::f16, "unfused"); }

// Every copy has its own inputs, and backward its own state of the forward pass.
TEST_F(CpuAttention, ColdRotationIsRight) {
  for (const Pass pass : {Pass::fwd, Pass::bwd}) {
    Attention a = shape(DType::f32, 16, 8, 512, 600, 128, Mask::causal);
    a.pass = pass;
    expect_right(a, {.backend = "unfused"});
  }
}

TEST_F(CpuAttention, EveryThreadCountIsRight) {
  for (const int threads : {1, cores(), 1}) {
    for (const Pass pass : {Pass::fwd, Pass::bwd}) {
      Attention a = shape(DType::f32, 4, 2, 70, 70, 64, Mask::causal);
      a.pass = pass;
      expect_right(a, {.cache = CacheMode::hot, .threads = threads});
    }
  }
}

TEST_F(CpuAttention, SaysWhatItIs) {
  const Attention a = shape(DType::f32, 8, 8, 256, 512, 64, Mask::causal);
  const auto prepared =
      client_->prepare({.work = a, .settings = {.backend = "unfused"}, .device = "0"}, kDeadline);
  ASSERT_TRUE(prepared);
  EXPECT_NE(prepared->kernel.find("unfused"), std::string::npos) << prepared->kernel;
  ASSERT_FALSE(prepared->notes.empty());
  // 8 heads of 256 by 512 scores of 4 bytes
  EXPECT_NE(prepared->notes[0].find("unfused: the score matrix of 4.0 MiB"), std::string::npos)
      << prepared->notes[0];
  EXPECT_TRUE(client_->release(prepared->handle, kDeadline));
}

TEST_F(CpuAttention, WhatItCannotDoIsRefused) {
  const Attention a = shape(DType::f32, 8, 8, 256, 512, 64, Mask::causal);
  const auto says = [&](const Attention& work, const Settings& settings, const char* word) {
    const auto why = refusal(work, settings);
    ASSERT_TRUE(why) << "wanted a refusal that says " << word;
    EXPECT_NE(why->find(word), std::string::npos) << *why;
  };
  says(a, {.backend = "flash"}, "no backend 'flash'");
  says(a, {.backend = "flash"}, "unfused");
  says(a, {.form = Form::packed}, "packed");
  Attention tf32 = a;
  tf32.dtype = DType::tf32;
  says(tf32, {}, "tf32");
  Attention huge = a;
  huge.batch = 64;
  huge.seq_q = huge.seq_kv = 1 << 18;
  says(huge, {.backend = "unfused"}, "score matrix");
}

}  // namespace
}  // namespace ridge
