// Products with ggml's blocks: the reference, and what its tolerance lets pass. Engines round
// activations to 8 bits, each in its own way; all of them pass, and none that reads blocks wrongly.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "any_work.h"

namespace {

using namespace ridge;

const InputSource kInputs{.seed = 3, .salt = 9, .copy = 1};
constexpr int64_t kRows = 4, kColumns = 16;

Gemm product(WeightFormat weights, int64_t k) {
  return {.layout = Gemm::Layout::nt, .weights = weights, .m = kRows, .n = kColumns, .k = k};
}

using Bytes = std::vector<uint8_t>;

// A row of B as it lies in memory.
Bytes row_bytes(const Gemm& gemm, int64_t row) {
  const TensorSpec b = tensors(gemm)[1];
  const int64_t blocks = b.shape[1] / b.unit_bytes();
  Bytes out(static_cast<size_t>(b.shape[1]));
  fill(b, kInputs.key("b"), row * blocks, blocks, out.data());
  return out;
}

std::vector<double> meaning(const Gemm& gemm, const Bytes& row) {
  const BlockFormat format = *ggml_format(*gemm.weights);
  std::vector<double> out(static_cast<size_t>(gemm.k));
  dequantise(format, row.data(), static_cast<int64_t>(row.size()) / block_bytes(format),
             out.data());
  return out;
}

std::vector<float> activations(const Gemm& gemm, int64_t row) {
  std::vector<float> out(static_cast<size_t>(gemm.k));
  fill(kInputs.key("a"), DType::f32, 1, row * gemm.k, gemm.k, out.data());
  return out;
}

std::vector<Expected> reference(const Gemm& gemm) {
  std::vector<int64_t> all(static_cast<size_t>(gemm.m * gemm.n));
  std::iota(all.begin(), all.end(), 0);
  return expected(gemm, kInputs, "c", all);
}

// The share of elements that an engine gets wrong, and how near it comes to the tolerance.
using Engine = std::function<double(const Gemm&, const std::vector<float>& a, const Bytes& row)>;
struct Outside {
  double share = 0, worst = 0;
};
Outside outside(const Gemm& gemm, const Engine& engine) {
  const auto right = reference(gemm);
  Outside out;
  for (int64_t j = 0; j < gemm.n; ++j) {
    const Bytes row = row_bytes(gemm, j);
    for (int64_t i = 0; i < gemm.m; ++i) {
      const auto& [value, tolerance] = right[static_cast<size_t>(i * gemm.n + j)];
      const double scaled = std::fabs(engine(gemm, activations(gemm, i), row) - value) / tolerance;
      out.worst = std::max(out.worst, scaled);
      out.share += (scaled > 1) / static_cast<double>(gemm.m * gemm.n);
    }
  }
  return out;
}

double dot(const std::vector<float>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < b.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double in_f32(const Gemm& gemm, const std::vector<float>& a, const Bytes& row) {
  const auto b = meaning(gemm, row);
  float sum = 0;
  for (size_t i = 0; i < b.size(); ++i) sum += a[i] * static_cast<float>(b[i]);
  return sum;
}

double in_f16(const Gemm& gemm, const std::vector<float>& a, const Bytes& row) {
  const auto b = meaning(gemm, row);
  float sum = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    sum += from_f16(to_f16(a[i])) * from_f16(to_f16(static_cast<float>(b[i])));
  }
  return sum;
}

// Activations as 8-bit codes with a scale for each `block`, kept as f32 or rounded to f16.
std::vector<float> rounded(const std::vector<float>& a, size_t block, bool f16_scale) {
  std::vector<float> out;
  for (size_t begin = 0; begin < a.size(); begin += block) {
    float largest = 0;
    for (size_t i = begin; i < begin + block; ++i) largest = std::max(largest, std::fabs(a[i]));
    const float d = largest / 127, inverse = d > 0 ? 1 / d : 0;
    const float kept = f16_scale ? from_f16(to_f16(d)) : d;
    for (size_t i = begin; i < begin + block; ++i) out.push_back(std::round(a[i] * inverse) * kept);
  }
  return out;
}

double as_cpus(const Gemm& gemm, const std::vector<float>& a, const Bytes& row) {
  const bool k_blocks = layout_of(*gemm.weights).group == 256;
  return dot(rounded(a, k_blocks ? 256 : 32, !k_blocks), meaning(gemm, row));
}

// Rounded activations times codes; the offset times the sum of 32 activations as they were, in f16.
double as_gpus(const Gemm& gemm, const std::vector<float>& a, const Bytes& row) {
  const auto codes = rounded(a, 32, true);
  const bool has_offset = layout_of(*gemm.weights).bits == 4;
  if (!has_offset) return dot(codes, meaning(gemm, row));
  const BlockFormat format = *ggml_format(*gemm.weights);
  const int64_t first = format == BlockFormat::q4_0 ? 2 : 16;
  Bytes without = row;
  for (auto block = without.begin(); block != without.end(); block += block_bytes(format)) {
    std::fill(block + first, block + block_bytes(format), uint8_t{0});
  }
  const auto whole = meaning(gemm, row), offset = meaning(gemm, without);
  double sum = 0;
  for (size_t begin = 0; begin < a.size(); begin += 32) {
    float total = 0;
    for (size_t i = begin; i < begin + 32; ++i) {
      sum += codes[i] * (whole[i] - offset[i]);
      total += a[i];
    }
    sum += offset[begin] * from_f16(to_f16(total));
  }
  return sum;
}

constexpr WeightFormat kFormats[] = {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_k,
                                     WeightFormat::q6_k};

TEST(GgmlGemm, ReferenceIsTheProductWithWhatTheBlocksMean) {
  for (const WeightFormat weights : kFormats) {
    const Gemm gemm = product(weights, 512);
    const auto right = reference(gemm);
    for (int64_t j = 0; j < gemm.n; ++j) {
      const auto b = meaning(gemm, row_bytes(gemm, j));
      for (int64_t i = 0; i < gemm.m; ++i) {
        const auto& [value, tolerance] = right[static_cast<size_t>(i * gemm.n + j)];
        EXPECT_NEAR(value, dot(activations(gemm, i), b), 1e-12) << name(weights);
        EXPECT_GT(tolerance, 0);
      }
    }
  }
}

// An element of `b` that a check reads is a byte of the blocks.
TEST(GgmlGemm, WeightsAreBytes) {
  const Gemm gemm = product(WeightFormat::q6_k, 512);
  const TensorSpec b = tensors(gemm)[1];
  EXPECT_EQ(b.shape, (std::vector<int64_t>{kColumns, 420}));
  EXPECT_EQ(b.bytes(), kColumns * 420);
  EXPECT_EQ(b.units(), kColumns * 2);
  Bytes all(static_cast<size_t>(b.bytes()));
  fill(b, kInputs.key("b"), 0, b.units(), all.data());
  for (int64_t row = 0; row < kColumns; ++row) {
    EXPECT_EQ(row_bytes(gemm, row), Bytes(all.begin() + row * 420, all.begin() + (row + 1) * 420));
  }
}

TEST(GgmlGemm, EveryHonestEnginePasses) {
  const std::pair<const char*, Engine> engines[] = {
      {"f32", in_f32}, {"f16", in_f16}, {"as CPUs", as_cpus}, {"as GPUs", as_gpus}};
  for (const WeightFormat weights : kFormats) {
    for (const int64_t k : {256, 1024, 4096, 14336}) {
      for (const auto& [what, engine] : engines) {
        const Outside found = outside(product(weights, k), engine);
        EXPECT_EQ(found.share, 0) << name(weights) << ", k = " << k << ", " << what << ", worst "
                                  << found.worst;
      }
      // The tolerance is no wider than the rounding of activations needs.
      const double used = outside(product(weights, k), as_gpus).worst;
      EXPECT_GT(used, 0.15) << name(weights) << ", k = " << k;
    }
  }
}

using Fault = std::function<void(BlockFormat, Bytes& row)>;

template <class Change>
Fault each_block(const Change& change) {
  return [change](BlockFormat format, Bytes& row) {
    for (size_t at = 0; at < row.size(); at += static_cast<size_t>(block_bytes(format))) {
      change(format, row.data() + at);
    }
  };
}
void times(uint8_t* place, float factor) {
  uint16_t d;
  std::memcpy(&d, place, 2);
  d = to_f16(from_f16(d) * factor);
  std::memcpy(place, &d, 2);
}

TEST(GgmlGemm, BlocksReadWronglyFail) {
  const Fault scale = each_block([](BlockFormat format, uint8_t* block) {
    times(block + (format == BlockFormat::q6_k ? 208 : 0), 1.1f);
    if (format == BlockFormat::q4_k) times(block + 2, 1.1f);
  });
  const Fault swapped = each_block([](BlockFormat format, uint8_t* block) {
    const int first = format == BlockFormat::q4_0 ? 2 : format == BlockFormat::q4_k ? 16 : 0;
    const int last = format == BlockFormat::q4_0 ? 18 : format == BlockFormat::q4_k ? 144 : 128;
    for (int i = first; i < last; ++i) {
      block[i] = static_cast<uint8_t>(block[i] << 4 | block[i] >> 4);
    }
  });
  const Fault other_scale = [](BlockFormat format, Bytes& row) {
    const auto size = static_cast<size_t>(block_bytes(format));
    const size_t d = format == BlockFormat::q6_k ? 208 : 0;
    for (size_t at = 0; at + size < row.size(); at += size) {
      std::copy_n(row.data() + at + size + d, 2, row.data() + at + d);
    }
  };
  const Fault skipped = [](BlockFormat format, Bytes& row) {
    std::fill_n(row.begin(), block_bytes(format), uint8_t{0});
  };
  const Fault unsigned_codes = each_block([](BlockFormat, uint8_t* block) {
    for (int i = 2; i < 34; ++i) block[i] &= 0x7f;
  });
  const Fault rough_minima = each_block([](BlockFormat, uint8_t* block) {
    for (int i = 8; i < 12; ++i) block[i] &= 0xf8;
    for (int i = 12; i < 16; ++i) block[i] &= 0x8f;
  });
  const Fault no_high_pairs = each_block([](BlockFormat, uint8_t* block) {
    std::fill_n(block + 128, 64, uint8_t{0xaa});  // all codes 32 to 47
  });
  struct Case {
    const char* what;
    Fault fault;
    std::vector<WeightFormat> formats;
  };
  const auto all = std::vector(std::begin(kFormats), std::end(kFormats));
  const Case cases[] = {
      {"scales a tenth too large", scale, all},
      {"nibbles swapped", swapped, {WeightFormat::q4_0, WeightFormat::q4_k, WeightFormat::q6_k}},
      {"the scale of the next block", other_scale, all},
      {"the first block left out", skipped, all},
      {"codes without their sign", unsigned_codes, {WeightFormat::q8_0}},
      {"minima without their low bits", rough_minima, {WeightFormat::q4_k}},
      {"codes without their high bits", no_high_pairs, {WeightFormat::q6_k}}};
  for (const auto& [what, fault, formats] : cases) {
    for (const WeightFormat weights : formats) {
      for (const int64_t k : {512, 4096}) {
        const BlockFormat format = *ggml_format(weights);
        const Engine engine = [&](const Gemm& gemm, const std::vector<float>& a, Bytes row) {
          fault(format, row);
          return dot(a, meaning(gemm, row));
        };
        // A check looks at 64 elements at the least: that all of them pass by luck must not be.
        EXPECT_GT(outside(product(weights, k), engine).share, 0.2)
            << name(weights) << ", k = " << k << ": " << what;
      }
    }
  }
}

TEST(GgmlGemm, IsOfF32WithWholeBlocks) {
  const auto valid = [](const std::string& weights, const std::string& dtype, int k,
                        const std::string& rest = "") {
    const std::string text = R"({"kind":"gemm","layout":"nt","m":1,"n":1,"weights":")" + weights +
                             R"(","dtype":")" + dtype + R"(","k":)" + std::to_string(k) + rest +
                             "}";
    return parse_workload(*Json::parse(text), "here").ok();
  };
  EXPECT_TRUE(valid("q8_0", "f32", 32));
  EXPECT_TRUE(valid("q4_0", "f32", 96));
  EXPECT_TRUE(valid("q4_k", "f32", 256));
  EXPECT_TRUE(valid("q6_k", "f32", 256, R"(,"output":"f32")"));
  EXPECT_FALSE(valid("q6_k", "f32", 256, R"(,"output":"f16")"));
  EXPECT_FALSE(valid("q8_0", "f32", 33));
  EXPECT_FALSE(valid("q4_k", "f32", 128));
  EXPECT_FALSE(valid("q5_k", "f32", 256));
  for (const char* dtype : {"bf16", "f16", "f64", "tf32", "fp8", "int8"}) {
    EXPECT_FALSE(valid("q4_k", dtype, 256)) << dtype;
  }
}

}  // namespace
