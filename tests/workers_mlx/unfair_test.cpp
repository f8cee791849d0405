// Ways to look fast that MLX makes easy, planted in its worker: none gets a rate.

#include <gtest/gtest.h>

#include "sim_runs.h"

namespace {

using namespace ridge;

Row visit(const std::string& mode, const Workload& work) {
  return sim_test::visit(mode, work, {.cache = CacheMode::hot});
}

const Workload kProduct = Gemm{.m = 96, .n = 64, .k = 256};
const Workload kCopy = Stream{.op = Stream::Op::copy, .bytes = 1 << 16};

void expect_caught(const Row& row) {
  EXPECT_TRUE(row.status == Status::incorrect || row.status == Status::failed) << row.reason;
  EXPECT_FALSE(row.rate.value) << "a rate of work that was not done";
  EXPECT_FALSE(row.reason.empty());
}

TEST(Unfair, HonestIsRight) {
  for (const Workload& work : {kProduct, kCopy}) {
    const Row row = visit("", work);
    EXPECT_EQ(row.status, Status::ok) << row.reason;
  }
}

TEST(Unfair, AGraphThatNobodyEvaluatedIsCaught) {
  for (const Workload& work : {kProduct, kCopy}) expect_caught(visit("lazy", work));
}

// Gradients of long sequences are much to ask for: those of keys are looked at all the same.
TEST(Unfair, GradientsOfKeysThatNobodyEvaluatedWhileTimedAreCaught) {
  const Workload gradients = Attention{.heads = 1,
                                       .kv_heads = 1,
                                       .seq_q = 768,
                                       .seq_kv = 768,
                                       .head_dim = 64,
                                       .pass = Attention::Pass::bwd};
  ASSERT_TRUE(asks_one_key(std::get<Attention>(gradients)));
  const Row honest = visit("", gradients);
  EXPECT_EQ(honest.status, Status::ok) << honest.reason;
  const Row row = visit("lazy-rest", gradients);
  expect_caught(row);
  EXPECT_NE(row.reason.find("grad_k"), std::string::npos) << row.reason;
}

TEST(Unfair, ZerosInsteadOfTheInputsAreCaught) {
  for (const Workload& work : {kProduct, kCopy}) expect_caught(visit("zeros", work));
}

TEST(Unfair, Tf32UnderTheNameOfF32IsCaught) {
  const Row row = visit("tf32", kProduct);
  EXPECT_EQ(row.status, Status::incorrect) << row.reason;
  EXPECT_FALSE(row.rate.value);
}

TEST(Unfair, ATransposedCopyLeftOutIsCaught) { expect_caught(visit("transposed", kProduct)); }

}  // namespace
