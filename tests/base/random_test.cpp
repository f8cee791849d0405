#include "base/random.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "data.h"

namespace ridge {
namespace {

constexpr DType kGenerated[] = {DType::f64, DType::f32,  DType::tf32,  DType::f16,   DType::bf16,
                                DType::fp8, DType::int8, DType::int32, DType::uint32};

uint64_t number(const Json& text) { return std::stoull(text.as_string()); }

// generator_vectors.py is a second implementation, from the comment in random.h.
TEST(Random, AgreesWithTheVectors) {
  const Json data = read_data("generator_vectors.json");
  ASSERT_EQ(data.find("generator_version")->as_int(), kGeneratorVersion);
  for (const Json& v : data.find("vectors")->as_array()) {
    const std::string& name = v.find("tensor")->as_string();
    const TensorKey key =
        tensor_key(number(*v.find("seed")), number(*v.find("salt")), number(*v.find("copy")), name);
    EXPECT_EQ(key.key, std::stoull(v.find("key")->as_string(), nullptr, 16)) << name;
    const auto& indexes = v.find("index")->as_array();
    for (size_t i = 0; i < indexes.size(); ++i) {
      EXPECT_EQ(random_bits(key, indexes[i].as_int()), hex(v.find("bits")->as_array()[i]));
    }
    const auto& elements = v.find("elements")->as_array();
    EXPECT_EQ(elements.size(), std::size(kGenerated));
    for (const Json& e : elements) {
      const DType dtype = parse_dtype(e.find("dtype")->as_string()).value();
      const double scale = e.find("scale")->as_double();
      for (size_t i = 0; i < indexes.size(); ++i) {
        EXPECT_EQ(random_element(key, dtype, scale, indexes[i].as_int()),
                  e.find("values")->as_array()[i].as_double())
            << name << " " << ridge::name(dtype) << " " << indexes[i].as_int();
      }
    }
  }
}

void fill_is_element(TensorKey key, DType dtype, double scale, int64_t first, int64_t count) {
  const auto size = static_cast<size_t>(count * bytes_of(dtype));
  std::vector<unsigned char> bytes(size + 8, 0xab);
  fill(key, dtype, scale, first, count, bytes.data());
  for (int64_t i = 0; i < count; ++i) {
    RC_ASSERT(load(dtype, bytes.data(), i) == random_element(key, dtype, scale, first + i));
  }
  for (size_t i = size; i < bytes.size(); ++i) RC_ASSERT(bytes[i] == 0xab);  // nothing beyond
}

RC_GTEST_PROP(Random, FillIsElementAtEveryIndex, (uint64_t seed)) {
  const TensorKey key = tensor_key(seed, 1, 2, "x");
  const auto first =
      *full_size(rc::gen::inRange<int64_t>(0, int64_t{1} << *full_size(rc::gen::inRange(1, 45))));
  const double scale = *rc::gen::element(1.0, 0.1, 1 / 64.0, 1e-4);
  for (const DType dtype : kGenerated) {
    fill_is_element(key, dtype, scale, first, *full_size(rc::gen::inRange<int64_t>(0, 300)));
  }
}

RC_GTEST_PROP(Random, FillCrossesTheBlockBoundary, ()) {
  const auto boundary = *full_size(rc::gen::inRange<int64_t>(1, 5)) << 32;
  const auto before = *full_size(rc::gen::inRange<int64_t>(0, 100));
  for (const DType dtype : kGenerated) {
    fill_is_element(tensor_key(9, 0, 0, "b"), dtype, 0.3, boundary - before, 150);
  }
}

// Made in pieces or at once, by one thread or many: the same.
TEST(Random, PiecesMakeTheWhole) {
  const TensorKey key = tensor_key(3, 1, 4, "pieces");
  std::vector<float> whole(1000), pieces(1000);
  fill(key, DType::f32, 1, 5000, 1000, whole.data());
  for (int64_t at = 0, step = 1; at < 1000; at += step, step = std::min(step * 2, 1000 - at)) {
    fill(key, DType::f32, 1, 5000 + at, step, pieces.data() + at);
  }
  EXPECT_EQ(whole, pieces);
}

TEST(Random, KeysDifferInEveryPart) {
  const uint64_t base = tensor_key(1, 1, 1, "A").key;
  EXPECT_NE(base, tensor_key(2, 1, 1, "A").key);
  EXPECT_NE(base, tensor_key(1, 2, 1, "A").key);
  EXPECT_NE(base, tensor_key(1, 1, 2, "A").key);
  EXPECT_NE(base, tensor_key(1, 1, 1, "B").key);
  EXPECT_NE(tensor_key(1, 2, 1, "A").key, tensor_key(2, 1, 1, "A").key);
  EXPECT_NE(tensor_key(1, 2, 3, "A").key, tensor_key(1, 3, 2, "A").key);
}

// The statistics below are of fixed keys, so they cannot fail by chance; the bounds are 5 standard
// errors of a uniform distribution.
constexpr int64_t kMany = 1 << 20;
const double kError = 1 / std::sqrt(static_cast<double>(kMany));

std::vector<double> sample(TensorKey key, int64_t first = 0) {
  std::vector<double> out(kMany);
  fill(key, DType::f64, 1, first, kMany, out.data());
  return out;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y, size_t lag = 0) {
  double sum = 0;
  for (size_t i = lag; i < x.size(); ++i) sum += x[i] * y[i - lag];
  return sum / static_cast<double>(x.size() - lag) * 3;  // the variance is 1/3
}

TEST(Random, MeanAndVarianceAreUniform) {
  for (const int64_t first : {int64_t{0}, (int64_t{1} << 32) - kMany / 2, int64_t{1} << 41}) {
    double sum = 0, squares = 0;
    for (const double x : sample(tensor_key(1, 2, 3, "A"), first)) {
      ASSERT_GE(x, -1);
      ASSERT_LT(x, 1);
      sum += x;
      squares += x * x;
    }
    EXPECT_NEAR(sum / kMany, 0, 5 * std::sqrt(1 / 3.0) * kError) << first;
    EXPECT_NEAR(squares / kMany, 1 / 3.0, 5 * std::sqrt(1 / 5.0 - 1 / 9.0) * kError) << first;
  }
}

TEST(Random, EveryValueOfInt8IsEquallyLikely) {
  std::vector<int8_t> values(kMany);
  fill(tensor_key(1, 2, 3, "A"), DType::int8, 1, 0, kMany, values.data());
  std::vector<double> counts(256);
  for (const int8_t v : values) ++counts[static_cast<size_t>(v + 128)];
  double chi2 = 0;
  for (const double c : counts) chi2 += (c - kMany / 256.0) * (c - kMany / 256.0) / (kMany / 256.0);
  EXPECT_NEAR(chi2, 255, 5 * std::sqrt(2 * 255.0));
}

TEST(Random, NeighboursAreNotCorrelated) {
  const auto x = sample(tensor_key(1, 2, 3, "A"));
  for (const size_t lag : {1, 2, 3, 4, 8, 16, 64, 127, 1024, 4096, 65536}) {
    EXPECT_NEAR(correlation(x, x, lag), 0, 5 * kError) << lag;
  }
}

TEST(Random, TensorsSaltsCopiesAndBlocksAreNotCorrelated) {
  std::vector<std::vector<double>> all;
  all.push_back(sample(tensor_key(1, 2, 3, "A")));
  all.push_back(sample(tensor_key(1, 2, 3, "B")));
  all.push_back(sample(tensor_key(1, 2, 4, "A")));
  all.push_back(sample(tensor_key(1, 3, 3, "A")));
  all.push_back(sample(tensor_key(2, 2, 3, "A")));
  all.push_back(sample(tensor_key(1, 2, 3, "A"), int64_t{1} << 32));
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      for (const size_t lag : {0, 1}) {
        EXPECT_NEAR(correlation(all[i], all[j], lag), 0, 5 * kError) << i << j << lag;
      }
    }
  }
}

TEST(Random, UniformIsInTheUnitInterval) {
  double sum = 0;
  for (int64_t i = 0; i < 100000; ++i) {
    const double u = random_uniform(tensor_key(5, 0, 0, "order"), i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 5 * std::sqrt(1 / 12.0 / 100000));
}

}  // namespace
}  // namespace ridge
