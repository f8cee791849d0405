// ggml's blocks: what bytes mean and what the generator makes, against plain Python
// (block_vectors.py); and that generated elements are as large as plain ones.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "base/json.h"
#include "paths.h"
#include "workload/ggml_blocks.h"

namespace {

using namespace ridge;

constexpr BlockFormat kGenerated[] = {
    BlockFormat::f32,  BlockFormat::f16,  BlockFormat::bf16, BlockFormat::q8_0, BlockFormat::q4_0,
    BlockFormat::q5_0, BlockFormat::q5_1, BlockFormat::q4_k, BlockFormat::q5_k, BlockFormat::q6_k};

std::vector<uint8_t> bytes_of_hex(const std::string& hex) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i < hex.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(std::strtoul(hex.substr(i, 2).c_str(), nullptr, 16)));
  }
  return out;
}

Json vectors() {
  std::ifstream file(paths::here() + "/data/block_vectors.json");
  std::stringstream text;
  text << file.rdbuf();
  return Json::parse(text.str()).value();
}

TEST(Blocks, MeanWhatPythonSays) {
  std::set<std::string> seen;
  const Json all = vectors();
  for (const Json& vector : all.as_array()) {
    const std::string& text = vector.find("format")->as_string();
    const auto format = parse_block_format(text);
    ASSERT_TRUE(format) << text;
    const auto bytes = bytes_of_hex(vector.find("bytes")->as_string());
    ASSERT_EQ(static_cast<int64_t>(bytes.size()), block_bytes(*format));
    const Json::Array& values = vector.find("values")->as_array();
    ASSERT_EQ(static_cast<int64_t>(values.size()), block_elements(*format));
    std::vector<double> found(values.size());
    ASSERT_TRUE(dequantise(*format, bytes.data(), 1, found.data()));
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(found[i], values[i].as_double()) << text << ", element " << i;
    }
    seen.insert(text);
  }
  EXPECT_EQ(seen.size(), 8u);
}

TEST(Blocks, AreGeneratedAsPythonSays) {
  int count = 0;
  const Json all = vectors();
  for (const Json& vector : all.as_array()) {
    const Json* key = vector.find("key");
    if (!key) continue;
    const BlockFormat format = *parse_block_format(vector.find("format")->as_string());
    std::vector<uint8_t> found(static_cast<size_t>(block_bytes(format)));
    fill_blocks(format, {std::strtoull(key->as_string().c_str(), nullptr, 16)},
                vector.find("scale")->as_double(), vector.find("index")->as_int(), 1, found.data());
    EXPECT_EQ(found, bytes_of_hex(vector.find("bytes")->as_string())) << vector.dump();
    ++count;
  }
  EXPECT_EQ(count, 12);
}

// However the blocks of a tensor are cut, they are the same.
RC_GTEST_PROP(Blocks, AreTheSameInPieces, ()) {
  const BlockFormat format =
      *rc::gen::elementOf(std::vector(std::begin(kGenerated), std::end(kGenerated)));
  const TensorKey key{*rc::gen::arbitrary<uint64_t>()};
  const auto first = *rc::gen::inRange<int64_t>(0, int64_t{1} << 40);
  const auto count = *rc::gen::inRange<int64_t>(1, 1000);
  const auto cut = *rc::gen::inRange<int64_t>(0, count + 1);
  const auto size = block_bytes(format);
  std::vector<uint8_t> whole(static_cast<size_t>(count * size)), pieces(whole.size());
  fill_blocks(format, key, 0.5, first, count, whole.data());
  fill_blocks(format, key, 0.5, first + cut, count - cut, pieces.data() + cut * size);
  fill_blocks(format, key, 0.5, first, cut, pieces.data());
  RC_ASSERT(whole == pieces);
}

// 2^18 elements: the bounds are about 5 standard errors, which the shared scales of blocks widen.
TEST(Blocks, AreAsLargeAsPlainElements) {
  for (const BlockFormat format : kGenerated) {
    for (const double scale : {1.0, 0.05, 37.0}) {
      const int64_t elements = 1 << 18, blocks = elements / block_elements(format);
      std::vector<uint8_t> bytes(static_cast<size_t>(bytes_of(format, elements)));
      std::vector<double> values(static_cast<size_t>(elements));
      fill_blocks(format, tensor_key(7, 1, 0, "w"), scale, 0, blocks, bytes.data());
      ASSERT_TRUE(dequantise(format, bytes.data(), blocks, values.data()));
      double sum = 0, squares = 0;
      for (const double value : values) sum += value, squares += value * value;
      const double deviation = std::sqrt(squares / static_cast<double>(elements));
      EXPECT_NEAR(sum / static_cast<double>(elements), 0, 0.008 * scale) << name(format);
      EXPECT_NEAR(deviation * std::sqrt(3), scale, 0.012 * scale) << name(format);
    }
  }
}

// No block is like its neighbour, and no element place is dead.
TEST(Blocks, DifferAndUseEveryCode) {
  for (const BlockFormat format :
       {BlockFormat::q8_0, BlockFormat::q4_0, BlockFormat::q5_0, BlockFormat::q5_1,
        BlockFormat::q4_k, BlockFormat::q5_k, BlockFormat::q6_k}) {
    const int64_t blocks = 512, width = block_elements(format);
    std::vector<uint8_t> bytes(static_cast<size_t>(blocks * block_bytes(format)));
    std::vector<double> values(static_cast<size_t>(blocks * width));
    fill_blocks(format, tensor_key(7, 1, 0, "w"), 1, 0, blocks, bytes.data());
    dequantise(format, bytes.data(), blocks, values.data());
    std::set<std::vector<double>> different;
    for (int64_t b = 0; b < blocks; ++b) {
      different.emplace(values.begin() + b * width, values.begin() + (b + 1) * width);
    }
    EXPECT_EQ(static_cast<int64_t>(different.size()), blocks) << name(format);
    for (int64_t i = 0; i < width; ++i) {
      double squares = 0;
      for (int64_t b = 0; b < blocks; ++b) {
        squares += std::pow(values[static_cast<size_t>(b * width + i)], 2);
      }
      EXPECT_NEAR(squares / 512, 1 / 3.0, 0.1) << name(format) << ", place " << i;
    }
  }
}

// ggml's numbers, elements and bytes, as the PyPI package gguf 0.19 has them (but for q8_1, which
// no file holds: ggml-common.h).
TEST(Blocks, HaveGgmlsNumbersAndSizes) {
  struct Known {
    uint32_t number;
    const char* name;
    int elements, bytes;
  };
  constexpr Known known[] = {
      {0, "f32", 1, 4},         {1, "f16", 1, 2},         {2, "q4_0", 32, 18},
      {3, "q4_1", 32, 20},      {6, "q5_0", 32, 22},      {7, "q5_1", 32, 24},
      {8, "q8_0", 32, 34},      {9, "q8_1", 32, 36},      {10, "q2_k", 256, 84},
      {11, "q3_k", 256, 110},   {12, "q4_k", 256, 144},   {13, "q5_k", 256, 176},
      {14, "q6_k", 256, 210},   {15, "q8_k", 256, 292},   {16, "iq2_xxs", 256, 66},
      {17, "iq2_xs", 256, 74},  {18, "iq3_xxs", 256, 98}, {19, "iq1_s", 256, 50},
      {20, "iq4_nl", 32, 18},   {21, "iq3_s", 256, 110},  {22, "iq2_s", 256, 82},
      {23, "iq4_xs", 256, 136}, {24, "i8", 1, 1},         {25, "i16", 1, 2},
      {26, "i32", 1, 4},        {27, "i64", 1, 8},        {28, "f64", 1, 8},
      {29, "iq1_m", 256, 56},   {30, "bf16", 1, 2},       {34, "tq1_0", 256, 54},
      {35, "tq2_0", 256, 66},   {39, "mxfp4", 32, 17},    {40, "nvfp4", 64, 36},
      {41, "q1_0", 128, 18}};
  int found = 0;
  for (uint32_t number = 0; number < 100; ++number) found += block_format_of(number).has_value();
  EXPECT_EQ(found, static_cast<int>(std::size(known)));
  for (const Known& k : known) {
    const auto format = block_format_of(k.number);
    ASSERT_TRUE(format) << k.name;
    EXPECT_EQ(name(*format), k.name);
    EXPECT_EQ(parse_block_format(k.name), format);
    EXPECT_EQ(block_elements(*format), k.elements) << k.name;
    EXPECT_EQ(block_bytes(*format), k.bytes) << k.name;
    EXPECT_EQ(bytes_of(*format, 1024), 1024 / k.elements * k.bytes) << k.name;
  }
  EXPECT_EQ(parse_block_format("Q4_K"), BlockFormat::q4_k);
  EXPECT_EQ(parse_block_format("q4"), std::nullopt);
}

TEST(Blocks, OfOtherFormatsAreNotMadeUp) {
  uint8_t block[512] = {};
  double values[256] = {};
  for (uint32_t number = 0; number < 100; ++number) {
    const auto format = block_format_of(number);
    if (!format) continue;
    EXPECT_EQ(dequantise(*format, block, 1, values), can_dequantise(*format)) << name(*format);
    const bool generated =
        std::find(std::begin(kGenerated), std::end(kGenerated), *format) != std::end(kGenerated);
    EXPECT_EQ(can_generate(*format), generated) << name(*format);
    if (!generated) {
      EXPECT_THROW(fill_blocks(*format, {1}, 1, 0, 1, block), std::logic_error);
    } else {
      EXPECT_TRUE(can_dequantise(*format));
    }
  }
  const int16_t two_bytes = -1234;
  const int64_t eight_bytes = -(int64_t{1} << 40);
  EXPECT_TRUE(dequantise(BlockFormat::i16, &two_bytes, 1, values));
  EXPECT_EQ(values[0], -1234);
  EXPECT_TRUE(dequantise(BlockFormat::i64, &eight_bytes, 1, values));
  EXPECT_EQ(values[0], -0x1p40);
}

}  // namespace
