// What the checker must catch of a PyTorch op, planted: each is one that a worker could be written
// by mistake or in the hope of a better figure. The honest op beside them passes.
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ops.h"
#include "torch_op.h"

namespace ridge::torch {
namespace {

constexpr uint64_t kSeed = 7, kSalt = 9;
const Gemm kSquare{.dtype = DType::f32, .layout = Gemm::Layout::nt, .m = 96, .n = 96, .k = 96};

class TorchOps : public testing::Test {
 protected:
  TorchOps() : host_(cpu::read_topology()), arena_(int64_t{1} << 28) { close_shortcuts(); }
  Place place() { return {c10::Device(c10::kCPU), host_, &arena_, nullptr, open_}; }
  static sdk::Task task(const Workload& work) { return {.work = work, .device = "cpu"}; }

  // How many elements are beyond their tolerance, or no number, after one run on poisoned outputs.
  static int wrong(TorchOp& op, const Workload& work, const char* tensor) {
    op.fill({kSeed, kSalt, 0});
    op.run(0);
    op.wait();
    const auto elements =
        elements_to_check(work, tensor, 1 << 16, tensor_key(kSeed, kSalt, 0, "x"));
    const auto right = expected(work, {kSeed, kSalt, 0}, tensor, elements);
    const auto values = op.read(tensor, 0, elements);
    int count = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (!(std::fabs(values[i] - right[i].value) <= right[i].tolerance)) ++count;
    }
    return count;
  }

  Host host_;
  sdk::Arena arena_;
  Switches open_;
};

// A product whose inputs went through `spoil` first.
class Planted : public TorchOp {
 public:
  using Spoil = at::Tensor (*)(const at::Tensor&);
  Planted(const sdk::Task& task, const Place& place, Spoil spoil_b)
      : TorchOp(task, place, {}), spoil_b_(spoil_b) {}

 protected:
  void compute(int64_t copy) override {
    at::Tensor c = tensor("c", copy);
    at::mm_out(c, tensor("a", copy), spoil_b_(tensor("b", copy)));
  }

 private:
  Spoil spoil_b_;
};

TEST_F(TorchOps, HonestProductIsRight) {
  const auto op = make_gemm(task(kSquare), place());
  EXPECT_EQ(wrong(*op, kSquare, "c"), 0);
}

TEST_F(TorchOps, PlantedOpIsRightWhereNothingIsSpoilt) {
  Planted op(task(kSquare), place(), [](const at::Tensor& b) { return b.t(); });
  EXPECT_EQ(wrong(op, kSquare, "c"), 0);
}

TEST_F(TorchOps, TransposeLeftOutIsCaught) {
  Planted op(task(kSquare), place(), [](const at::Tensor& b) { return b; });
  EXPECT_GT(wrong(op, kSquare, "c"), 9000);
}

TEST_F(TorchOps, ZeroInputsAreCaught) {
  Planted op(task(kSquare), place(), [](const at::Tensor& b) { return b.t().mul(0); });
  EXPECT_GT(wrong(op, kSquare, "c"), 9000);
}

TEST_F(TorchOps, Tf32CalledF32IsCaught) {
  // 10 bits of mantissa are kept, as an NVIDIA tensor core does.
  Planted op(task(kSquare), place(), [](const at::Tensor& b) {
    at::Tensor bits = b.t().contiguous().view(at::kInt);
    return bits.add(1 << 12).bitwise_and(~((1 << 13) - 1)).view(at::kFloat);
  });
  EXPECT_GT(wrong(op, kSquare, "c"), 1000);
}

TEST_F(TorchOps, WhatNeverRanIsNoAnswer) {
  class Idle : public TorchOp {
   public:
    Idle(const sdk::Task& task, const Place& place, bool gives)
        : TorchOp(task, place, {.gives_outputs = gives}) {}

   protected:
    void compute(int64_t) override {}
  };
  for (const bool gives : {false, true}) {
    Idle op(task(kSquare), place(), gives);
    EXPECT_EQ(wrong(op, kSquare, "c"), 96 * 96);
  }
}

TEST_F(TorchOps, AnOutputThatTheLibraryMadeIsDroppedBeforeTheNext) {
  const Attention attention{
      .dtype = DType::f32, .heads = 2, .kv_heads = 2, .seq_q = 8, .seq_kv = 8, .head_dim = 16};
  const auto op = make_attention(task(attention), place());
  EXPECT_EQ(wrong(*op, attention, "o"), 0);
  op->fill({kSeed, kSalt + 1, 0});
  for (const double value : op->read("o", 0, std::vector<int64_t>{0, 5, 255})) {
    EXPECT_TRUE(std::isnan(value));
  }
}

TEST_F(TorchOps, ElementsThatDoNotExistAreNotRead) {
  const auto op = make_gemm(task(kSquare), place());
  EXPECT_THROW(op->read("c", 0, std::vector<int64_t>{96 * 96}), std::out_of_range);
  EXPECT_THROW(op->read("d", 0, std::vector<int64_t>{0}), std::invalid_argument);
}

// Integers and one scale in f32: what PyTorch's passes give is the reference, not merely near it.
TEST_F(TorchOps, Int8ConvolutionsAreExact) {
  for (const ConvStack& stack : {ConvStack{.channels = 1, .spatial = 1, .depth = 1},
                                 ConvStack{.channels = 24, .spatial = 35, .depth = 3},
                                 ConvStack{.channels = 96, .spatial = 64, .depth = 8}}) {
    ConvStack work = stack;
    work.dtype = DType::int8;
    const auto op = make_convolution(task(work), place());
    op->fill({kSeed, kSalt, 0});
    op->run(0);
    op->wait();
    std::vector<int64_t> elements(static_cast<size_t>(work.spatial * work.channels));
    std::iota(elements.begin(), elements.end(), 0);
    const auto right = expected(work, {kSeed, kSalt, 0}, "y", elements);
    const auto values = op->read("y", 0, elements);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i], right[i].value) << work_key(work) << " element " << i;
    }
  }
}

TEST_F(TorchOps, GradientsFollowTheInputsOfTheLastFill) {
  Attention attention{
      .dtype = DType::f32, .heads = 2, .kv_heads = 1, .seq_q = 12, .seq_kv = 12, .head_dim = 16};
  attention.mask = Attention::Mask::causal;
  attention.pass = Attention::Pass::bwd;
  const auto op = make_attention(task(attention), place());
  op->fill({kSeed, kSalt + 5, 0});
  op->run(0);  // a forward pass kept from these inputs would give wrong gradients below
  for (const char* tensor : {"grad_q", "grad_k", "grad_v"}) {
    EXPECT_EQ(wrong(*op, attention, tensor), 0) << tensor;
  }
}

}  // namespace
}  // namespace ridge::torch
