// What the reference says, against an independent computation; and that the tolerance lets every
// honest order of summing pass and no lower precision.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>

#include "any_work.h"

namespace {

using namespace ridge;

const InputSource kInputs{.seed = 11, .salt = 22, .copy = 3};

std::vector<int64_t> all_elements(const Workload& work, std::string_view tensor) {
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.name != tensor) continue;
    std::vector<int64_t> out(static_cast<size_t>(spec.elements()));
    std::iota(out.begin(), out.end(), 0);
    return out;
  }
  return {};
}

// A tensor filled as workers fill it, read back as float64.
std::vector<double> filled(const Workload& work, std::string_view name) {
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.name != name) continue;
    std::vector<std::byte> raw(static_cast<size_t>(spec.bytes()));
    fill(kInputs.key(name), spec.dtype, spec.scale, 0, spec.elements(), raw.data());
    std::vector<double> out;
    for (int64_t i = 0; i < spec.elements(); ++i) out.push_back(load(spec.dtype, raw.data(), i));
    return out;
  }
  return {};
}

RC_GTEST_PROP(Expected, GemmIsTheNaiveProduct, ()) {
  const Gemm gemm = workload_test::any_gemm(24);
  const auto a = filled(gemm, "a"), b = filled(gemm, "b");
  const auto elements = all_elements(gemm, "c");
  const auto expected_values = expected(gemm, kInputs, "c", elements);
  RC_ASSERT(expected_values.size() == elements.size());
  for (int64_t i = 0; i < gemm.m; ++i) {
    for (int64_t j = 0; j < gemm.n; ++j) {
      long double sum = 0, magnitude = 0;
      for (int64_t k = 0; k < gemm.k; ++k) {
        const int64_t at = gemm.layout == Gemm::Layout::nt ? j * gemm.k + k : k * gemm.n + j;
        const auto product = static_cast<long double>(a[static_cast<size_t>(i * gemm.k + k)]) *
                             static_cast<long double>(b[static_cast<size_t>(at)]);
        sum += product;
        magnitude += std::fabs(product);
      }
      const auto& [value, tolerance] = expected_values[static_cast<size_t>(i * gemm.n + j)];
      RC_ASSERT(std::fabs(value - static_cast<double>(sum)) <=
                0x1p-50 * static_cast<double>(magnitude));
      const bool exact = gemm.dtype == DType::int8 || magnitude == 0;  // fp8 has zeros
      RC_ASSERT((tolerance == 0) == exact);
    }
  }
}

// Dequantised here from the bytes as they lie in memory, code after code.
RC_GTEST_PROP(Expected, QuantisedGemmIsTheProductWithWhatTheBlocksMean, ()) {
  const Gemm gemm = workload_test::any_quantised_gemm(200);
  const int bits = gemm.weights == WeightFormat::q4_g64 ? 4 : 8;
  const auto a = filled(gemm, "a"), scale = filled(gemm, "b_scale"), bias = filled(gemm, "b_bias");
  std::vector<uint8_t> bytes(static_cast<size_t>(gemm.n * gemm.k * bits / 8));
  fill(kInputs.key("b"), DType::uint32, 1, 0, static_cast<int64_t>(bytes.size()) / 4, bytes.data());
  const auto elements = all_elements(gemm, "c");
  const auto right = expected(gemm, kInputs, "c", elements);
  RC_ASSERT(right.size() == elements.size());
  for (int64_t i = 0; i < gemm.m; ++i) {
    for (int64_t j = 0; j < gemm.n; ++j) {
      double sum = 0, magnitude = 0;
      for (int64_t k = 0; k < gemm.k; ++k) {
        const auto flat = static_cast<size_t>(j * gemm.k + k);
        const int code = bits == 8 ? bytes[flat] : bytes[flat / 2] >> (flat % 2 * 4) & 15;
        const double weight = scale[flat / 64] * code + bias[flat / 64];
        sum += a[static_cast<size_t>(i * gemm.k + k)] * weight;
        magnitude += std::fabs(a[static_cast<size_t>(i * gemm.k + k)] * weight);
      }
      const auto& [value, tolerance] = right[static_cast<size_t>(i * gemm.n + j)];
      RC_ASSERT(std::fabs(value - sum) <= 0x1p-45 * magnitude);
      RC_ASSERT(tolerance > 0);
    }
  }
}

// Elements as large as plain ones: a variance of 1/3. The bound is 4 standard errors of 4096
// groups.
TEST(Weights, QuantisedElementsAreAsLargeAsPlainOnes) {
  for (const auto format : {WeightFormat::q4_g64, WeightFormat::q8_g64}) {
    const auto parts = weight_tensors(format, "b", DType::bf16, 64, 4096);
    double squares = 0, sum = 0;
    for (int64_t row = 0; row < 64; ++row) {
      for (const double value : weight_row(format, parts, kInputs, row).values) {
        squares += value * value / (64 * 4096);
        sum += value / (64 * 4096);
      }
    }
    EXPECT_NEAR(squares, 1 / 3.0, 4 * 0.4 / std::sqrt(4096)) << name(format);
    EXPECT_NEAR(sum, 0, 4 * 0.55 / std::sqrt(4096)) << name(format);
  }
}

TEST(Expected, StreamsByHand) {
  const Stream triad{.op = Stream::Op::triad, .bytes = 1024};
  const auto a = filled(triad, "a"), b = filled(triad, "b"), s = filled(triad, "s");
  const auto values = expected(triad, kInputs, "c", all_elements(triad, "c"));
  for (size_t i = 0; i < 256; ++i) EXPECT_NEAR(values[i].value, a[i] + s[0] * b[i], 1e-12);

  const Stream copy{.op = Stream::Op::copy, .bytes = 1024};
  const Stream write{.op = Stream::Op::write, .bytes = 1024};
  for (const auto& [value, tolerance] : expected(write, kInputs, "c", all_elements(write, "c"))) {
    EXPECT_EQ(value, filled(write, "s")[0]);
    EXPECT_EQ(tolerance, 0);
  }
  const auto copied = expected(copy, kInputs, "c", all_elements(copy, "c"));
  for (size_t i = 0; i < 256; ++i) EXPECT_EQ(copied[i].value, filled(copy, "a")[i]);

  const Stream read{.op = Stream::Op::read, .bytes = 4 * (8192 * 2 + 64)};  // a short last chunk
  const auto source = filled(read, "a");
  const auto sums = expected(read, kInputs, "sum", all_elements(read, "sum"));
  ASSERT_EQ(sums.size(), 3u);
  EXPECT_NEAR(sums[1].value, std::accumulate(source.begin() + 8192, source.begin() + 16384, 0.0),
              1e-9);
  EXPECT_NEAR(sums[2].value, std::accumulate(source.begin() + 16384, source.end(), 0.0), 1e-9);
}

// How a kernel may sum the products of one element in f32.
using Order = std::function<float(const std::vector<float>& a, const std::vector<float>& b)>;

float in_order(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
float fused(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum = std::fma(a[i], b[i], sum);
  return sum;
}
float backwards(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t i = a.size(); i-- > 0;) sum += a[i] * b[i];
  return sum;
}
Order blocked(size_t block) {
  return [block](const std::vector<float>& a, const std::vector<float>& b) {
    float total = 0;
    for (size_t begin = 0; begin < a.size(); begin += block) {
      float sum = 0;
      for (size_t i = begin; i < std::min(begin + block, a.size()); ++i) {
        sum = std::fma(a[i], b[i], sum);
      }
      total += sum;
    }
    return total;
  };
}
Order lanes(size_t width) {
  return [width](const std::vector<float>& a, const std::vector<float>& b) {
    std::vector<float> sums(width, 0.0f);
    for (size_t i = 0; i < a.size(); ++i) sums[i % width] = std::fma(a[i], b[i], sums[i % width]);
    for (size_t w = width; w > 1; w = (w + 1) / 2) {
      for (size_t i = 0; i < w / 2; ++i) sums[i] += sums[w - 1 - i];
    }
    return sums[0];
  };
}
Order rounded(int mantissa_bits) {  // inputs cut to so few bits, then summed well
  return [mantissa_bits](std::vector<float> a, std::vector<float> b) {
    const auto cut = [&](float& value) {
      const int drop = 23 - mantissa_bits;
      auto bits = std::bit_cast<uint32_t>(value);
      bits += (1u << (drop - 1)) - 1 + ((bits >> drop) & 1u);
      value = std::bit_cast<float>(bits >> drop << drop);
    };
    std::for_each(a.begin(), a.end(), cut);
    std::for_each(b.begin(), b.end(), cut);
    return lanes(16)(a, b);
  };
}

// Of the elements of some products of that length: how many lie outside of the tolerance.
struct Outside {
  int wrong = 0, all = 0;
  double worst = 0;
};
Outside outside(int64_t k, const Order& order, uint64_t salts) {
  Outside out;
  const Gemm gemm{.m = 8, .n = 8, .k = k};
  for (uint64_t salt = 0; salt < salts; ++salt) {
    const InputSource inputs{.seed = 5, .salt = salt, .copy = 0};
    std::vector<float> a(static_cast<size_t>(8 * k)), b(static_cast<size_t>(8 * k));
    fill(inputs.key("a"), DType::f32, 1, 0, 8 * k, a.data());
    fill(inputs.key("b"), DType::f32, 1, 0, 8 * k, b.data());
    const auto reference = expected(gemm, inputs, "c", all_elements(gemm, "c"));
    for (int64_t i = 0; i < 8; ++i) {
      for (int64_t j = 0; j < 8; ++j) {
        std::vector<float> row(a.begin() + i * k, a.begin() + (i + 1) * k), column;
        for (int64_t step = 0; step < k; ++step) {
          column.push_back(b[static_cast<size_t>(step * 8 + j)]);
        }
        const auto& [value, tolerance] = reference[static_cast<size_t>(i * 8 + j)];
        const double scaled =
            std::fabs(static_cast<double>(order(row, column)) - value) / tolerance;
        out.worst = std::max(out.worst, scaled);
        out.wrong += scaled > 1;
        ++out.all;
      }
    }
  }
  return out;
}

TEST(Tolerance, EveryHonestOrderPasses) {
  const std::vector<std::pair<std::string, Order>> orders = {
      {"in order", in_order},        {"fused", fused},
      {"backwards", backwards},      {"blocks of 4", blocked(4)},
      {"blocks of 64", blocked(64)}, {"blocks of 384", blocked(384)},
      {"8 lanes", lanes(8)},         {"16 lanes", lanes(16)},
      {"64 lanes", lanes(64)}};
  for (const int64_t k : {1, 2, 3, 16, 63, 256, 1000, 4096, 14336}) {
    for (const auto& [name, order] : orders) {
      const Outside found = outside(k, order, k > 2000 ? 6 : 40);
      EXPECT_EQ(found.wrong, 0) << name << ", k = " << k << ", worst " << found.worst;
    }
  }
}

TEST(Tolerance, LowerPrecisionFails) {
  for (const int64_t k : {1, 16, 256, 1000, 4096, 14336}) {
    for (const int bits : {7, 10}) {  // bf16, tf32 and f16
      const Outside found = outside(k, rounded(bits), k > 2000 ? 6 : 20);
      // A check looks at 64 elements at the least: that all of them pass by luck must not be.
      const double share = static_cast<double>(found.wrong) / found.all;
      EXPECT_GT(share, 0.2) << bits << " bits, k = " << k;
    }
  }
}

// The next lower precision of the weights: what a worker gets wrong that takes 4 bits where 8 were
// asked for, or the codes of a word in the other order.
TEST(Tolerance, WrongCodesFail) {
  const Gemm gemm{.dtype = DType::bf16,
                  .layout = Gemm::Layout::nt,
                  .weights = WeightFormat::q8_g64,
                  .m = 8,
                  .n = 8,
                  .k = 1024};
  const auto parts = weight_tensors(WeightFormat::q8_g64, "b", DType::bf16, 8, 1024);
  const auto a = filled(gemm, "a"), scale = filled(gemm, "b_scale"), bias = filled(gemm, "b_bias");
  const auto codes = [&](int64_t row, int64_t i, bool coarse, bool swapped) {
    const uint32_t word = random_bits(kInputs.key("b"), row * 256 + i / 4);
    const uint32_t code = word >> 8 * ((swapped ? 3 - i % 4 : i % 4)) & 255u;
    return static_cast<double>(coarse ? code & 0xf0u : code);
  };
  const auto reference = expected(gemm, kInputs, "c", all_elements(gemm, "c"));
  const auto wrong = [&](bool coarse, bool swapped) {
    int out = 0;
    for (int64_t i = 0; i < 64; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < 1024; ++k) {
        const auto group = static_cast<size_t>(i % 8 * 16 + k / 64);
        sum += a[static_cast<size_t>(i / 8 * 1024 + k)] *
               (scale[group] * codes(i % 8, k, coarse, swapped) + bias[group]);
      }
      const auto& [value, tolerance] = reference[static_cast<size_t>(i)];
      out += std::fabs(sum - value) > tolerance;
    }
    return out;
  };
  EXPECT_EQ(wrong(false, false), 0);
  EXPECT_GT(wrong(true, false), 20);
  EXPECT_GT(wrong(false, true), 50);
}

TEST(Tolerance, Int8IsExactAndAllElementsCount) {
  const Gemm gemm{.dtype = DType::int8, .m = 4, .n = 4, .k = 5000};
  for (const auto& [value, tolerance] : expected(gemm, kInputs, "c", all_elements(gemm, "c"))) {
    EXPECT_EQ(tolerance, 0);
    EXPECT_EQ(value, std::round(value));
  }
}

RC_GTEST_PROP(Elements, AreInRangeSortedAndRepeatable, ()) {
  const Workload work = workload_test::any_work();
  const auto want = *rc::gen::inRange<int64_t>(1, 600);
  const TensorKey key = tensor_key(*rc::gen::arbitrary<uint64_t>(), 1, 2, "elements");
  for (const TensorSpec& spec : tensors(work)) {
    const auto elements = elements_to_check(work, spec.name, want, key);
    RC_ASSERT(elements == elements_to_check(work, spec.name, want, key));
    if (spec.role != TensorSpec::Role::output) {
      RC_ASSERT(elements.empty());
      continue;
    }
    // After timing, gradients of keys are looked at only where that is cheap.
    const bool of_keys = spec.name == "grad_k" || spec.name == "grad_v";
    RC_ASSERT(!elements.empty() || (of_keys && want < 256));
    if (elements.empty()) continue;
    RC_ASSERT(std::is_sorted(elements.begin(), elements.end()));
    RC_ASSERT(std::adjacent_find(elements.begin(), elements.end()) == elements.end());
    RC_ASSERT(elements.front() >= 0);
    RC_ASSERT(elements.back() < spec.elements());
    const bool few = want < 256 && (std::holds_alternative<ConvStack>(work) ||
                                    std::holds_alternative<Attention>(work));
    if (!few && !of_keys) {
      RC_ASSERT(elements.front() == 0);
      RC_ASSERT(elements.back() == spec.elements() - 1);
    }
    RC_ASSERT(static_cast<int64_t>(elements.size()) <= spec.elements());
  }
}

TEST(Elements, SmallShapesAreCheckedWholeAndLargeOnesEverywhere) {
  const TensorKey key = tensor_key(1, 2, 3, "elements");
  EXPECT_EQ(elements_to_check(Gemm{.m = 16, .n = 16, .k = 9}, "c", 256, key).size(), 256u);
  EXPECT_EQ(elements_to_check(Gemm{.m = 128, .n = 96, .k = 160}, "c", 256, key).size(), 128u * 96);
  const Gemm large{.m = 4096, .n = 4096, .k = 4096};
  const auto first = elements_to_check(large, "c", 256, key);
  const auto second = elements_to_check(large, "c", 256, tensor_key(1, 2, 4, "elements"));
  EXPECT_NE(first, second) << "which elements are looked at must not be known beforehand";
  EXPECT_GT(first.size(), 200u);
  EXPECT_LT(first.size(), 500u);
}

}  // namespace
