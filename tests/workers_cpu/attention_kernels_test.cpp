// The row-wise loops of attention, against float64, for every way to store a row.

#include "attention_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"

namespace ridge::cpu {
namespace {

void store(DType dtype, std::vector<std::byte>& row, int64_t i, float value) {
  const auto at = static_cast<size_t>(i * bytes_of(dtype));
  if (dtype == DType::f32) {
    std::memcpy(&row[at], &value, 4);
  } else {
    const uint16_t bits = dtype == DType::bf16 ? to_bf16(value) : to_f16(value);
    std::memcpy(&row[at], &bits, 2);
  }
}

class AttentionRow : public testing::TestWithParam<DType> {
 protected:
  std::vector<std::byte> any_row(int64_t count, uint64_t salt, float scale) const {
    std::vector<std::byte> row(static_cast<size_t>(count * bytes_of(GetParam())));
    const TensorKey key = tensor_key(1, salt, 0, "row");
    for (int64_t i = 0; i < count; ++i) {
      store(GetParam(), row, i, static_cast<float>(random_uniform(key, i) * 2 - 1) * scale);
    }
    return row;
  }
  double at(const std::vector<std::byte>& row, int64_t i) const {
    return load(GetParam(), row.data(), i);
  }
  double roundoff() const { return unit_roundoff(GetParam()) + 0x1p-20; }
};

TEST_P(AttentionRow, SoftmaxOfWhatIsSeen) {
  for (const int64_t count : {1, 2, 15, 16, 17, 63, 200, 1001}) {
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, count},
                                      {0, (count + 1) / 2},
                                      {count / 3, count},
                                      {count - 1, count}}) {
      auto row = any_row(count, static_cast<uint64_t>(count), 30);
      const auto before = row;
      std::vector<float> room(static_cast<size_t>(count));
      softmax_row(GetParam(), row.data(), first, last, count, 0.25f, room.data());
      double total = 0;
      for (int64_t i = first; i < last; ++i) total += std::exp(0.25 * at(before, i));
      for (int64_t i = 0; i < count; ++i) {
        const bool seen = i >= first && i < last;
        const double right = seen ? std::exp(0.25 * at(before, i)) / total : 0;
        // Numbers below the normal ones of f16 are multiples of 2^-24.
        const double step = GetParam() == DType::f16 ? 0x1p-25 : 0;
        ASSERT_NEAR(at(row, i), right, right * roundoff() * 2 + step) << i << " of " << count;
      }
    }
  }
}

TEST_P(AttentionRow, GradientOfASoftmax) {
  for (const int64_t count : {1, 2, 15, 16, 17, 63, 200, 1001}) {
    const auto p = any_row(count, 1, 0.1f);
    auto grad = any_row(count, 2, 3);
    const auto before = grad;
    softmax_gradient_row(GetParam(), p.data(), grad.data(), count, 0.5f);
    double delta = 0;
    for (int64_t i = 0; i < count; ++i) delta += at(p, i) * at(before, i);
    for (int64_t i = 0; i < count; ++i) {
      const double right = 0.5 * at(p, i) * (at(before, i) - delta);
      ASSERT_NEAR(at(grad, i), right, std::fabs(right) * roundoff() * 2 + 0x1p-20);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Stored, AttentionRow, testing::Values(DType::f32, DType::bf16, DType::f16),
                         [](const auto& one) { return std::string(name(one.param)); });

}  // namespace
}  // namespace ridge::cpu
