// The kinds that probe a machine: the chase's ring, the stack of convolutions, tiny calls, files.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "any_work.h"

namespace {

using namespace ridge;

InputSource any_source() {
  return {.seed = static_cast<uint64_t>(*rc::gen::inRange(0, 1 << 30)),
          .salt = static_cast<uint64_t>(*rc::gen::inRange(0, 1 << 30)),
          .copy = *rc::gen::inRange(0, 100)};
}

WorkingSet any_chase(int most_octave) {
  const int64_t unit = int64_t{64} << *rc::gen::inRange(2, most_octave);
  return {.op = WorkingSet::Op::chase, .bytes = unit * *rc::gen::element(4, 5, 6, 7, 9, 15, 21)};
}

RC_GTEST_PROP(Chase, TheRingHoldsEveryLineOnce, ()) {
  const WorkingSet set = any_chase(10);
  const Ring ring = ring_of(set, any_source());
  std::vector<bool> seen(static_cast<size_t>(set.lines()));
  uint64_t at = 0;
  for (int64_t i = 0; i < set.lines(); ++i) {
    RC_ASSERT(at < static_cast<uint64_t>(set.lines()));
    RC_ASSERT(!seen[at]);
    seen[at] = true;
    at = ring.next(at);
  }
  RC_ASSERT(at == 0u);
}

RC_GTEST_PROP(Chase, TheEndIsWhereAWalkStepByStepEnds, ()) {
  const WorkingSet set = any_chase(8);
  const InputSource source = any_source();
  const Ring ring = ring_of(set, source);
  uint64_t at = 0;
  for (int64_t i = 0; i < set.hops(); ++i) at = ring.next(at);
  const std::vector<int64_t> all = {0};
  const auto end = expected(set, source, "end", all);
  RC_ASSERT(end.size() == 1u);
  RC_ASSERT(end[0].value == static_cast<double>(at));
  RC_ASSERT(end[0].tolerance == 0.0);
}

// A prefetcher follows constant strides within a page; neighbours in the walk must not show one.
TEST(Chase, NeighboursInTheWalkLieFarApart) {
  const WorkingSet set{.op = WorkingSet::Op::chase, .bytes = 64 << 20};
  const Ring ring = ring_of(set, {.seed = 1, .salt = 2, .copy = 0});
  uint64_t at = 0, same_page = 0, same_stride = 0, stride = 0;
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t next = ring.next(at);
    same_page += next / 64 == at / 64;
    same_stride += next - at == stride;
    stride = next - at;
    at = next;
  }
  EXPECT_LT(same_page, 200u);
  EXPECT_LT(same_stride, 200u);
}

TEST(Chase, RefusesSizesWithoutARing) {
  EXPECT_FALSE(validate(WorkingSet{.op = WorkingSet::Op::chase, .bytes = 64 * 11 * 4}));
  EXPECT_TRUE(validate(WorkingSet{.op = WorkingSet::Op::read, .bytes = 64 * 11 * 4}));
  EXPECT_TRUE(validate(WorkingSet{.op = WorkingSet::Op::chase, .bytes = 64 * 7 * 32}));
}

std::vector<double> filled(const Workload& work, const InputSource& source, std::string_view name) {
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.name != name) continue;
    std::vector<std::byte> raw(static_cast<size_t>(spec.bytes()));
    fill(source.key(name), spec.dtype, spec.scale, 0, spec.elements(), raw.data());
    std::vector<double> out;
    for (int64_t i = 0; i < spec.elements(); ++i) out.push_back(load(spec.dtype, raw.data(), i));
    return out;
  }
  return {};
}

double rounded(DType dtype, double value) {
  const auto narrow = static_cast<float>(value);
  if (dtype == DType::bf16) return from_bf16(to_bf16(narrow));
  if (dtype == DType::f16) return from_f16(to_f16(narrow));
  return narrow;
}

// Layer by layer over all pixels, every layer's result rounded to the dtype as a machine does.
std::vector<double> run_stack(const ConvStack& stack, const InputSource& source) {
  std::vector<double> x = filled(stack, source, "x");
  const std::vector<double> w = filled(stack, source, "w");
  const auto c = static_cast<size_t>(stack.channels), s = static_cast<size_t>(stack.spatial);
  for (size_t layer = 0; layer < static_cast<size_t>(stack.depth); ++layer) {
    std::vector<double> y(x.size());
    for (size_t p = 0; p < s; ++p) {
      for (size_t o = 0; o < c; ++o) {
        double sum = 0;
        for (size_t i = 0; i < c; ++i) sum += w[(layer * c + o) * c + i] * x[p * c + i];
        if (stack.dtype == DType::int8) {
          const float scaled = static_cast<float>(static_cast<int32_t>(sum)) * stack.int8_scale();
          sum = std::min(127.0f, std::max(-128.0f, std::rint(scaled)));
        } else {
          sum = rounded(stack.dtype, sum);
        }
        y[p * c + o] = sum;
      }
    }
    x.swap(y);
  }
  return x;
}

RC_GTEST_PROP(ConvStack, AHonestMachinePassesAndAWrongLayerDoesNot, ()) {
  ConvStack stack{.dtype = *rc::gen::element(DType::f32, DType::bf16, DType::f16, DType::int8),
                  .channels = *rc::gen::inRange<int64_t>(8, 40),
                  .spatial = *rc::gen::inRange<int64_t>(1, 6),
                  .depth = *rc::gen::inRange<int64_t>(1, 12)};
  const InputSource source = any_source();
  const auto y = run_stack(stack, source);
  const auto elements = elements_to_check(stack, "y", 64, source.key("choice"));
  RC_ASSERT(!elements.empty());
  const auto wanted = expected(stack, source, "y", elements);
  size_t close_to_nothing = 0;
  for (size_t i = 0; i < elements.size(); ++i) {
    RC_ASSERT(std::fabs(y[static_cast<size_t>(elements[i])] - wanted[i].value) <=
              wanted[i].tolerance);
    close_to_nothing += std::fabs(wanted[i].value) <= wanted[i].tolerance;
  }
  // Zeros, or a layer left out, must not pass: one element that stands clear of the tolerance
  // tells.
  RC_ASSERT(close_to_nothing < elements.size());
}

TEST(ConvStack, ValuesNeitherGrowNorDie) {
  for (const DType dtype : {DType::f32, DType::int8}) {
    const ConvStack stack{.dtype = dtype, .channels = 64, .spatial = 2, .depth = 64};
    double squares = 0;
    const auto y = run_stack(stack, {.seed = 5, .salt = 6, .copy = 0});
    for (const double v : y) squares += v * v;
    const double size = std::sqrt(squares / static_cast<double>(y.size()));
    EXPECT_GT(size, dtype == DType::int8 ? 20 : 0.2) << name(dtype);
    EXPECT_LT(size, dtype == DType::int8 ? 100 : 2) << name(dtype);
  }
}

TEST(Dispatch, OneCallTooFewIsSeen) {
  const InputSource source{.seed = 1, .salt = 2, .copy = 3};
  for (const int64_t ops : {1, 7, 1000}) {
    const std::vector<int64_t> all = elements_to_check(Dispatch{ops}, "y", 4, {});
    const auto right = expected(Dispatch{ops}, source, "y", all);
    const auto x = filled(Dispatch{ops}, source, "x");
    for (size_t i = 0; i < right.size(); ++i) {
      EXPECT_NEAR(right[i].value, static_cast<double>(ops + 1) * x[i],
                  1e-4 * std::fabs(right[i].value));
      if (x[i] != 0) {
        EXPECT_GT(std::fabs(x[i]), right[i].tolerance) << "a call left out would pass";
      }
    }
  }
}

TEST(Sustained, IsTheProductForALongTime) {
  const Gemm gemm{.dtype = DType::bf16, .m = 64, .n = 32, .k = 16};
  const Sustained work{.gemm = gemm, .seconds = 60};
  EXPECT_EQ(work_key(work), "sustained/60s/bf16/64x32x16");
  EXPECT_EQ(cost(work, Settings{}).model_flops, cost(gemm, Settings{}).model_flops);
  EXPECT_EQ(own_seconds(work), 60.0);
  const auto back = parse_workload(to_json(Workload(work)), "here");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, Workload(work));
  EXPECT_FALSE(validate(Sustained{.gemm = gemm, .seconds = 1}));
  EXPECT_FALSE(validate(Sustained{.gemm = {}, .seconds = 10}));
}

TEST(Costs, ByHand) {
  const Cost conv = cost(ConvStack{DType::int8, 512, 4096, 16}, {});
  EXPECT_EQ(conv.model_flops, 2.0 * 512 * 512 * 4096 * 16);
  EXPECT_EQ(conv.bytes_read, (4096.0 * 512 + 512 * 512) * 16);
  EXPECT_EQ(conv.bytes_written, 4096.0 * 512 * 16);
  EXPECT_EQ(conv.footprint, 2.0 * 4096 * 512 + 16 * 512 * 512);
  const Cost chase = cost(WorkingSet{WorkingSet::Op::chase, 65536}, {});
  EXPECT_EQ(chase.rate_work(), 1024 + 128 + 1);
  EXPECT_EQ(chase.footprint, 65536);
  EXPECT_EQ(cost(WorkingSet{WorkingSet::Op::read, 65536}, {}).rate_work(), 65536);
  EXPECT_EQ(cost(Load{1 << 20}, {}).rate_work(), 1 << 20);
  EXPECT_EQ(cost(Dispatch{100}, {}).rate_work(), 100);
  EXPECT_EQ(cost(Alloc{}, {}).rate_work(), 0);
}

}  // namespace
