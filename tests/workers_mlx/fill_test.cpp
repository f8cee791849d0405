// Filling as it is done for a GPU with memory of its own, here on the CPU: the inputs of every copy
// are the generator's, and many copies take few evaluations.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <mlx/mlx.h>

#include <cmath>
#include <numeric>

#include "mlx_op.h"

namespace {

int evaluations = 0;  // since the last reset: MLX's own function calls no other of its name
}  // namespace

// In place of the library's, which it calls.
namespace mlx::core {
void eval(std::vector<array> outputs) {
  using Eval = void (*)(std::vector<array>);
  static const auto real =
      reinterpret_cast<Eval>(dlsym(RTLD_NEXT, "_ZN3mlx4core4evalESt6vectorINS0_5arrayESaIS2_EE"));
  ++evaluations;
  real(std::move(outputs));
}
}  // namespace mlx::core

namespace ridge::mlx_worker {
namespace {

constexpr int64_t kCopies = 300;
constexpr uint64_t kSeed = 7;

MlxOp on_device(const Workload& work, const Settings& settings = {}) {
  mx::set_default_device(mx::Device::cpu);
  auto graph = graph_of(work, settings, Place::cuda);
  EXPECT_TRUE(graph) << graph.error().message;
  return MlxOp({work, settings, "gpu", kCopies}, *std::move(graph),
               {.device = mx::Device::cpu, .place = Place::cuda});
}

std::vector<int64_t> all_of(const TensorSpec& spec) {
  std::vector<int64_t> elements(static_cast<size_t>(spec.elements()));
  std::iota(elements.begin(), elements.end(), 0);
  return elements;
}

const Workload kWorks[] = {
    Gemm{.m = 3, .n = 5, .k = 7},
    Gemm{.dtype = DType::bf16, .layout = Gemm::Layout::nt, .m = 4, .n = 2, .k = 9},
    Gemm{.layout = Gemm::Layout::nt, .weights = WeightFormat::q4_g64, .m = 2, .n = 8, .k = 128},
    Stream{.op = Stream::Op::triad, .bytes = 512}, Stream{.op = Stream::Op::write, .bytes = 256}};

TEST(Fill, ManyCopiesTakeOneEvaluationATensor) {
  for (const Workload& work : kWorks) {
    MlxOp op = on_device(work);
    evaluations = 0;
    for (int64_t copy = 0; copy < kCopies; ++copy) op.fill({kSeed, 3, copy});
    op.wait();
    EXPECT_GT(evaluations, 0) << "not counted";
    EXPECT_LE(evaluations, static_cast<int>(tensors(work).size())) << work_key(work);
  }
}

TEST(Fill, EveryCopyHoldsItsOwnInputsAndNoAnswer) {
  for (const Workload& work : kWorks) {
    MlxOp op = on_device(work);
    for (int64_t copy = 0; copy < kCopies; ++copy) op.fill({kSeed, 3, copy});
    op.fill({kSeed, 4, 17});  // anew, before anything was evaluated
    op.wait();
    for (const TensorSpec& spec : tensors(work)) {
      const auto elements = all_of(spec);
      for (const int64_t copy : {int64_t{0}, int64_t{17}, int64_t{133}, kCopies - 1}) {
        const auto values = op.read(spec.name, copy, elements);
        const TensorKey key = InputSource{kSeed, copy == 17 ? 4u : 3u, copy}.key(spec.name);
        std::vector<std::byte> right(static_cast<size_t>(spec.bytes()));
        ridge::fill(key, spec.dtype, spec.scale, 0, spec.elements(), right.data());
        for (const int64_t i : elements) {
          const double value = values[static_cast<size_t>(i)];
          if (spec.role == TensorSpec::Role::output) {
            ASSERT_TRUE(std::isnan(value)) << spec.name;
          } else {
            ASSERT_EQ(value, load(spec.dtype, right.data(), i)) << spec.name << " of copy " << copy;
          }
        }
      }
    }
  }
}

TEST(Fill, WhatRunsWithoutAWaitIsFilled) {
  for (const Workload& work : kWorks) {
    MlxOp op = on_device(work);
    for (uint64_t salt = 1; salt < 3; ++salt) {
      for (int64_t copy = 0; copy < kCopies; ++copy) op.fill({kSeed, salt, copy});
      for (int64_t copy = 0; copy < kCopies; ++copy) op.run(copy);
      op.wait();
      for (const TensorSpec& spec : tensors(work)) {
        if (spec.role != TensorSpec::Role::output) continue;
        const auto elements = all_of(spec);
        const auto right = expected(work, {kSeed, salt, 99}, spec.name, elements);
        const auto values = op.read(spec.name, 99, elements);
        for (size_t i = 0; i < values.size(); ++i) {
          ASSERT_NEAR(values[i], right[i].value, right[i].tolerance) << work_key(work);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ridge::mlx_worker
