#include "worker_fixture.h"

namespace ridge {
namespace {

class CpuGemm : public CpuWorkerTest {
 protected:
  // Every layout and form of a shape.
  static void expect_all_forms(DType dtype, int64_t m, int64_t n, int64_t k) {
    for (const auto layout : {Gemm::Layout::nn, Gemm::Layout::nt}) {
      for (const Form form : {Form::plain, Form::packed}) {
        expect_right(Gemm{.dtype = dtype, .layout = layout, .m = m, .n = n, .k = k},
                     {.cache = CacheMode::hot, .form = form});
        if (HasFatalFailure()) return;
      }
    }
  }

  static void expect_shapes(DType dtype) {
    if (!has_dtype(dtype)) GTEST_SKIP() << "this processor has no " << name(dtype);
    constexpr int64_t kShapes[][3] = {{1, 1, 1},     {1, 17, 3},    {3, 1, 17},     {17, 3, 1},
                                      {1, 255, 255}, {3, 17, 255},  {17, 255, 3},   {255, 17, 17},
                                      {31, 33, 65},  {64, 64, 64},  {1, 512, 96},   {2, 130, 70},
                                      {5, 1, 1000},  {128, 96, 32}, {255, 255, 255}};
    for (const auto& [m, n, k] : kShapes) {
      expect_all_forms(dtype, m, n, k);
      if (HasFatalFailure()) return;
    }
  }
};

TEST_F(CpuGemm, F32IsRight) { expect_shapes(DType::f32); }
TEST_F(CpuGemm, Bf16IsRight) { expect_shapes(DType::bf16); }
TEST_F(CpuGemm, F16IsRight) { expect_shapes(DType::f16); }
TEST_F(CpuGemm, Int8IsExact) { expect_shapes(DType::int8); }

TEST_F(CpuGemm, ColdRotationIsRight) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::int8}) {
    if (!has_dtype(dtype)) continue;
    for (const Form form : {Form::plain, Form::packed}) {
      expect_right(Gemm{.dtype = dtype, .m = 33, .n = 4001, .k = 1023}, {.form = form});
      expect_right(Gemm{.dtype = dtype, .m = 1, .n = 4001, .k = 4096}, {.form = form});
    }
  }
}

TEST_F(CpuGemm, EveryThreadCountIsRight) {
  const int most = cores();
  for (const int threads : {1, 2, most, 1}) {
    if (threads > most) continue;
    expect_right(Gemm{.dtype = DType::f32, .m = 65, .n = 129, .k = 257}, {.threads = threads});
    expect_right(Gemm{.dtype = DType::f32, .m = 1, .n = 1290, .k = 257}, {.threads = threads});
  }
}

TEST_F(CpuGemm, OtherOutputIsRightOrRefused) {
  for (const auto& [in, out] :
       {std::pair{DType::bf16, DType::f32}, {DType::f16, DType::f32}, {DType::f32, DType::bf16}}) {
    for (const int64_t m : {1, 19}) {
      const Gemm gemm{.dtype = in, .output = out, .m = m, .n = 45, .k = 77};
      const auto why = refusal(gemm);
      if (!why) {
        expect_right(gemm, {.cache = CacheMode::hot});
      } else {
        EXPECT_NE(why->find(name(in)), std::string::npos) << *why;
      }
    }
  }
}

TEST_F(CpuGemm, QuantisedWeightsAreRefusedByName) {
  for (const auto weights : {WeightFormat::q4_g64, WeightFormat::q8_0, WeightFormat::q4_0,
                             WeightFormat::q4_k, WeightFormat::q6_k}) {
    const auto why =
        refusal(Gemm{.layout = Gemm::Layout::nt, .weights = weights, .m = 1, .n = 8, .k = 256});
    ASSERT_TRUE(why);
    EXPECT_NE(why->find(name(weights)), std::string::npos) << *why;
  }
}

TEST_F(CpuGemm, PackedWeightsAreSaid) {
  const Gemm gemm{.dtype = DType::f32, .m = 256, .n = 256, .k = 256};
  const auto plain = client_->prepare({.work = gemm, .device = "0"}, kDeadline);
  const auto packed = client_->prepare(
      {.work = gemm, .settings = {.form = Form::packed}, .device = "0"}, kDeadline);
  ASSERT_TRUE(plain && packed);
  EXPECT_NE(plain->kernel.find("weights "), std::string::npos) << plain->kernel;
  EXPECT_NE(plain->kernel, packed->kernel);
  EXPECT_GT(packed->bytes_held, plain->bytes_held);
  EXPECT_TRUE(client_->release(plain->handle, kDeadline));
  EXPECT_TRUE(client_->release(packed->handle, kDeadline));
}

}  // namespace
}  // namespace ridge
