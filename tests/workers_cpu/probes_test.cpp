#include "worker_fixture.h"

namespace ridge {
namespace {

class CpuProbes : public CpuWorkerTest {};

TEST_F(CpuProbes, ChasesEndWhereTheRingSays) {
  for (const int64_t bytes : {1024, 5 * 256, 7 * 1024, 96 << 10, 10 << 20}) {
    for (const CacheMode cache : {CacheMode::hot, CacheMode::cold}) {
      expect_right(WorkingSet{WorkingSet::Op::chase, bytes}, {.cache = cache, .threads = 1});
    }
  }
}

TEST_F(CpuProbes, AChaseIsOneCoresOnly) {
  if (cores() < 2) GTEST_SKIP() << "one core";
  EXPECT_TRUE(refusal(WorkingSet{WorkingSet::Op::chase, 4096}));
}

TEST_F(CpuProbes, WorkingSetsAreRead) {
  for (const int threads : {0, 1}) {
    expect_right(WorkingSet{WorkingSet::Op::read, 28 << 10},
                 {.cache = CacheMode::hot, .threads = threads});
    expect_right(WorkingSet{WorkingSet::Op::read, 12 << 20},
                 {.cache = CacheMode::hot, .threads = threads});
  }
}

TEST_F(CpuProbes, ConvolutionsAreRight) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::int8}) {
    if (!has_dtype(dtype)) continue;
    for (const Form form : {Form::plain, Form::packed}) {
      for (const auto& [channels, spatial, depth] :
           {std::array{1, 1, 1}, {3, 7, 2}, {64, 49, 1}, {64, 1024, 5}, {160, 36, 12}}) {
        const ConvStack stack{dtype, channels, spatial, depth};
        if (refusal(stack, {.form = form})) continue;
        expect_right(stack, {.form = form});
      }
    }
  }
}

TEST_F(CpuProbes, CallsAddUp) {
  for (const int64_t ops : {1, 2, 3, 64, 4096}) expect_right(Dispatch{ops});
}

TEST_F(CpuProbes, FilesComeBack) {
  for (const CacheMode cache : {CacheMode::hot, CacheMode::cold}) {
    const Settings settings{.cache = cache, .timing = Timing::isolated};
    if (refusal(Load{4096}, settings)) continue;  // the folder for temporary files is in memory
    for (const int64_t bytes : {4096, 12288, 20 << 20}) expect_right(Load{bytes}, settings);
  }
  EXPECT_TRUE(refusal(Load{4096}, {.timing = Timing::pipelined}));
}

TEST_F(CpuProbes, AProductForLongIsTheSameProduct) {
  expect_right(Sustained{Gemm{.m = 33, .n = 65, .k = 127}, 2});
}

}  // namespace
}  // namespace ridge
