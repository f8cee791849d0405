// Costs against values worked out by hand, and fields that survive JSON.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "any_work.h"

namespace {

using namespace ridge;

struct Known {
  Workload work;
  double flops, read, written, allocate, footprint;
};

TEST(Cost, ByHand) {
  const std::vector<Known> known = {
      // 2·2·3·4 FLOP; A 8, B 12, C 6 elements of 4 bytes
      {Gemm{.m = 2, .n = 3, .k = 4}, 48, 80, 24, 24, 104},
      {Gemm{.layout = Gemm::Layout::nt, .m = 2, .n = 3, .k = 4}, 48, 80, 24, 24, 104},
      {Gemm{.dtype = DType::bf16, .m = 2, .n = 3, .k = 4}, 48, 40, 12, 12, 52},
      {Gemm{.dtype = DType::bf16, .output = DType::f32, .m = 2, .n = 3, .k = 4}, 48, 40, 24, 24,
       64},
      {Gemm{.dtype = DType::int8, .m = 2, .n = 3, .k = 4}, 48, 20, 24, 24, 44},
      // fp8 in, bf16 out
      {Gemm{.dtype = DType::fp8, .m = 2, .n = 3, .k = 4}, 48, 20, 12, 12, 32},
      // A 2·128·2 bytes; 3·128 codes of half a byte, and 3·2 groups with 2 + 2 bytes
      {Gemm{.dtype = DType::bf16,
            .layout = Gemm::Layout::nt,
            .weights = WeightFormat::q4_g64,
            .m = 2,
            .n = 3,
            .k = 128},
       1536, 512 + 192 + 24, 12, 12, 740},
      {Gemm{.dtype = DType::f32,
            .layout = Gemm::Layout::nt,
            .weights = WeightFormat::q8_g64,
            .m = 2,
            .n = 3,
            .k = 128},
       1536, 1024 + 384 + 48, 24, 24, 1480},
      // A 2·256·4 bytes; 3 blocks of 144 bytes, or 3·8 of 34
      {Gemm{.layout = Gemm::Layout::nt, .weights = WeightFormat::q4_k, .m = 2, .n = 3, .k = 256},
       3072, 2048 + 432, 24, 24, 2504},
      {Gemm{.layout = Gemm::Layout::nt, .weights = WeightFormat::q8_0, .m = 2, .n = 3, .k = 256},
       3072, 2048 + 816, 24, 24, 2888},
      {Gemm{.dtype = DType::f64, .m = 2, .n = 3, .k = 4}, 48, 160, 48, 48, 208},
      {Gemm{.dtype = DType::tf32, .m = 2, .n = 3, .k = 4}, 48, 80, 24, 24, 104},
      {Gemm{.dtype = DType::f16, .m = 1, .n = 1, .k = 1}, 2, 4, 2, 2, 6},
      // 2·4096³; 3 · 4096² · 4 bytes
      {Gemm{.m = 4096, .n = 4096, .k = 4096}, 137438953472.0, 134217728, 67108864, 67108864,
       201326592},
      // a decode product: the weights alone are 14336·4096·2 bytes
      {Gemm{.dtype = DType::bf16, .m = 1, .n = 14336, .k = 4096}, 117440512, 117448704, 28672,
       28672, 117477376},
      {Stream{.op = Stream::Op::read, .bytes = 1024}, 0, 1024, 0, 0, 1024},
      {Stream{.op = Stream::Op::write, .bytes = 1024}, 0, 0, 1024, 1024, 1024},
      {Stream{.op = Stream::Op::copy, .bytes = 1024}, 0, 1024, 1024, 1024, 2048},
      // 256 elements, a multiplication and an addition each
      {Stream{.op = Stream::Op::triad, .bytes = 1024}, 512, 2048, 1024, 1024, 3072},
      {Stream{.op = Stream::Op::write, .bytes = 1024, .nontemporal = true}, 0, 0, 1024, 0, 1024},
      {Stream{.op = Stream::Op::copy, .bytes = 1024, .nontemporal = true}, 0, 1024, 1024, 0, 2048},
      {Stream{.op = Stream::Op::triad, .bytes = 1 << 30}, 536870912, 2147483648.0, 1073741824,
       1073741824, 3221225472.0}};
  for (const Known& k : known) {
    SCOPED_TRACE(work_key(k.work));
    const Cost c = cost(k.work, {});
    EXPECT_EQ(c.model_flops, k.flops);
    EXPECT_EQ(c.executed_flops, k.flops);
    EXPECT_EQ(c.bytes_read, k.read);
    EXPECT_EQ(c.bytes_written, k.written);
    EXPECT_EQ(c.bytes_write_allocate, k.allocate);
    EXPECT_EQ(c.footprint, k.footprint);
  }
}

TEST(Cost, ARateCountsWhatTheWorkIsAbout) {
  EXPECT_EQ(cost(Gemm{.m = 2, .n = 3, .k = 4}, {}).rate_work(), 48);
  EXPECT_EQ(cost(Stream{.op = Stream::Op::triad, .bytes = 1024}, {}).rate_work(), 3072);
}

// `s` of a stream is one element that no account holds; the ring of a chase is no tensor.
RC_GTEST_PROP(Cost, FootprintIsThatOfTheTensors, ()) {
  const Workload work = workload_test::any_work();
  double bytes = 0;
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.name != "s" && spec.name != "sum") bytes += static_cast<double>(spec.bytes());
  }
  const auto* set = std::get_if<WorkingSet>(&work);
  if (set && set->op == WorkingSet::Op::chase) bytes = static_cast<double>(set->bytes);
  RC_ASSERT(cost(work, {}).footprint == bytes);
}

RC_GTEST_PROP(Fields, SurviveTheText, ()) {
  const Workload work = workload_test::any_work();
  auto json = Json::parse(to_json(work).dump());
  RC_ASSERT(json.ok());
  auto back = parse_workload(*json, "here");
  RC_ASSERT(back.ok());
  RC_ASSERT(*back == work);
}

RC_GTEST_PROP(Fields, SettingsSurviveTheText, ()) {
  const Settings settings{
      .cache = *rc::gen::element(CacheMode::cold, CacheMode::warm, CacheMode::hot),
      .timing = *rc::gen::element(Timing::isolated, Timing::pipelined),
      .form = *rc::gen::element(Form::plain, Form::packed),
      .threads = *rc::gen::inRange(0, 65537),
      .graph = *rc::gen::arbitrary<bool>(),
      .backend = *rc::gen::element<std::string>("", "unfused", "flash_2")};
  auto back = parse_settings(*Json::parse(to_json(settings).dump()), "here");
  RC_ASSERT(back.ok());
  RC_ASSERT(*back == settings);
}

TEST(Fields, WhatCannotBeIsRefused) {
  const auto refused = [](const std::string& text) {
    return !parse_workload(*Json::parse(text), "here");
  };
  for (const char* extent :
       {"0", "-1", "16777217", "9223372036854775807", "1.0", "\"1\"", "null"}) {
    EXPECT_TRUE(
        refused(std::string(R"({"kind":"gemm","dtype":"f32","n":1,"k":1,"m":)") + extent + "}"))
        << extent;
  }
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"int8","output":"f32","m":1,"n":1,"k":1})"));
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"int8","output":"int8","m":1,"n":1,"k":1})"));
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"int32","m":1,"n":1,"k":1})"));
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"uint32","m":1,"n":1,"k":1})"));
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"int8","output":"uint32","m":1,"n":1,"k":1})"));
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"f32","output":"fp8","m":1,"n":1,"k":1})"));
  EXPECT_FALSE(refused(R"({"kind":"gemm","dtype":"fp8","m":1,"n":1,"k":1})"));
  const auto quantised = [](const std::string& dtype, const std::string& layout,
                            const std::string& weights, int k) {
    return R"({"kind":"gemm","m":1,"n":1,"dtype":")" + dtype + R"(","layout":")" + layout +
           R"(","weights":")" + weights + R"(","k":)" + std::to_string(k) + "}";
  };
  EXPECT_FALSE(refused(quantised("bf16", "nt", "q4_g64", 64)));
  EXPECT_TRUE(refused(quantised("bf16", "nn", "q4_g64", 64)));
  EXPECT_TRUE(refused(quantised("bf16", "nt", "q4_g64", 96)));
  EXPECT_TRUE(refused(quantised("bf16", "nt", "q5", 64)));
  for (const char* dtype : {"f64", "tf32", "fp8", "int8"}) {
    EXPECT_TRUE(refused(quantised(dtype, "nt", "q8_g64", 64))) << dtype;
  }
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"f32","output":"int32","m":1,"n":1,"k":1})"));
  EXPECT_TRUE(refused(R"({"kind":"gemm","dtype":"f32","m":16777216,"n":16777216,"k":1})"));
  EXPECT_TRUE(refused(R"({"kind":"stream","op":"read","bytes":256,"nontemporal":true})"));
  EXPECT_TRUE(refused(R"({"kind":"stream","op":"read","bytes":255})"));
  EXPECT_TRUE(refused(R"({"kind":"stream","op":"read","bytes":8796093022464})"));
}

}  // namespace
