// Blocks as we read them against ggml itself: its sizes, its dequantisation, what its quantiser
// makes.
#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "workload/ggml_blocks.h"

namespace ridge {
namespace {

constexpr BlockFormat kAll[] = {
    BlockFormat::f32,     BlockFormat::f16,    BlockFormat::q4_0,    BlockFormat::q4_1,
    BlockFormat::q5_0,    BlockFormat::q5_1,   BlockFormat::q8_0,    BlockFormat::q8_1,
    BlockFormat::q2_k,    BlockFormat::q3_k,   BlockFormat::q4_k,    BlockFormat::q5_k,
    BlockFormat::q6_k,    BlockFormat::q8_k,   BlockFormat::iq2_xxs, BlockFormat::iq2_xs,
    BlockFormat::iq3_xxs, BlockFormat::iq1_s,  BlockFormat::iq4_nl,  BlockFormat::iq3_s,
    BlockFormat::iq2_s,   BlockFormat::iq4_xs, BlockFormat::i8,      BlockFormat::i16,
    BlockFormat::i32,     BlockFormat::i64,    BlockFormat::f64,     BlockFormat::iq1_m,
    BlockFormat::bf16,    BlockFormat::tq1_0,  BlockFormat::tq2_0,   BlockFormat::mxfp4,
    BlockFormat::nvfp4};
constexpr BlockFormat kQuantised[] = {BlockFormat::q4_0, BlockFormat::q4_1, BlockFormat::q5_0,
                                      BlockFormat::q5_1, BlockFormat::q8_0, BlockFormat::q4_k,
                                      BlockFormat::q5_k, BlockFormat::q6_k};
constexpr int64_t kBlocks = 500;

ggml_type type_of(BlockFormat format) { return static_cast<ggml_type>(format); }

// Each element of `blocks`, ours in float64 and ggml's in f32, which multiplies and subtracts
// scales rounded on the way: `largest` is the largest number of a block, that its roundings follow.
void expect_same(BlockFormat format, const std::vector<std::byte>& blocks) {
  const int64_t width = block_elements(format);
  const auto count = static_cast<int64_t>(blocks.size()) / block_bytes(format);
  std::vector<double> ours(static_cast<size_t>(count * width));
  std::vector<float> theirs(ours.size());
  ASSERT_TRUE(dequantise(format, blocks.data(), count, ours.data()));
  ggml_get_type_traits(type_of(format))->to_float(blocks.data(), theirs.data(), count * width);
  for (int64_t block = 0; block < count; ++block) {
    double largest = 0;
    for (int64_t i = block * width; i < (block + 1) * width; ++i) {
      largest = std::fmax(largest, std::fabs(ours[static_cast<size_t>(i)]));
    }
    for (int64_t i = block * width; i < (block + 1) * width; ++i) {
      const auto at = static_cast<size_t>(i);
      ASSERT_NEAR(ours[at], static_cast<double>(theirs[at]), largest * 0x1p-21)
          << name(format) << ", block " << block << ", element " << i % width;
    }
  }
}

TEST(Blocks, HaveGgmlsNumbersAndSizes) {
  for (const BlockFormat format : kAll) {
    EXPECT_EQ(block_elements(format), ggml_blck_size(type_of(format))) << name(format);
    EXPECT_EQ(block_bytes(format), static_cast<int64_t>(ggml_type_size(type_of(format))))
        << name(format);
    std::string theirs = ggml_type_name(type_of(format));
    EXPECT_EQ(parse_block_format(theirs), format) << theirs;
  }
}

TEST(Blocks, OfTheGeneratorMeanWhatGgmlSaysTheyMean) {
  for (const BlockFormat format : {BlockFormat::q8_0, BlockFormat::q4_0, BlockFormat::q4_k,
                                   BlockFormat::q6_k, BlockFormat::f16, BlockFormat::bf16}) {
    ASSERT_TRUE(can_generate(format));
    std::vector<std::byte> blocks(static_cast<size_t>(kBlocks * block_bytes(format)));
    fill_blocks(format, tensor_key(1, 2, 3, name(format)), 0.5, 0, kBlocks, blocks.data());
    expect_same(format, blocks);
  }
}

TEST(Blocks, OfGgmlsQuantiserMeanWhatTheyMeantThere) {
  constexpr int64_t kRow = 512, kRows = 64;
  std::vector<float> values(kRow * kRows);
  const TensorKey key = tensor_key(4, 5, 6, "values");
  fill(key, DType::f32, 2.0, 0, kRow * kRows, values.data());
  for (const BlockFormat format : kQuantised) {
    std::vector<std::byte> blocks(static_cast<size_t>(bytes_of(format, kRow * kRows)));
    ASSERT_EQ(
        ggml_quantize_chunk(type_of(format), values.data(), blocks.data(), 0, kRows, kRow, nullptr),
        blocks.size());
    expect_same(format, blocks);
    // And they stand for the values they were made from: the worst format has 16 steps in a block.
    std::vector<double> back(values.size());
    ASSERT_TRUE(
        dequantise(format, blocks.data(), kRow * kRows / block_elements(format), back.data()));
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(back[i], static_cast<double>(values[i]), 0.3)
          << name(format) << ", element " << i;
    }
  }
}

}  // namespace
}  // namespace ridge
