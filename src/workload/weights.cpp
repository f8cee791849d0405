#include "workload/weights.h"

#include <cmath>
#include <string>

namespace ridge {
namespace {

constexpr WeightLayout kLayouts[] = {{.bits = 4, .group = 64}, {.bits = 8, .group = 64}};
constexpr int kWordBits = 32;

// With codes c uniform in 0 to 2^bits - 1, the mean of c² is about 2^(2·bits)/3. Of the variance
// 1/3 three quarters come from scale·code and one from the bias.
constexpr double kBiasScale = 0.5;
double scale_of_scales(int bits) { return 1.5 / ((1 << bits) - 1); }

}  // namespace

WeightLayout layout_of(WeightFormat format) { return kLayouts[static_cast<size_t>(format)]; }

std::vector<TensorSpec> weight_tensors(WeightFormat format, std::string_view name, DType dtype,
                                       int64_t n, int64_t k) {
  using Role = TensorSpec::Role;
  const auto [bits, group] = layout_of(format);
  const std::string tensor(name);
  return {{tensor, Role::weight, DType::uint32, {n, k * bits / kWordBits}},
          {tensor + "_scale", Role::weight, dtype, {n, k / group}, scale_of_scales(bits)},
          {tensor + "_bias", Role::weight, dtype, {n, k / group}, kBiasScale}};
}

WeightRow weight_row(WeightFormat format, const std::vector<TensorSpec>& tensors,
                     const InputSource& inputs, int64_t row) {
  const auto [bits, group] = layout_of(format);
  const TensorSpec &codes = tensors[0], &scales = tensors[1], &biases = tensors[2];
  const TensorKey code_key = inputs.key(codes.name), scale_key = inputs.key(scales.name),
                  bias_key = inputs.key(biases.name);
  const int64_t words = codes.shape[1], groups = scales.shape[1];
  WeightRow out;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t at = row * groups + g;
    const double scale = random_element(scale_key, scales.dtype, scales.scale, at);
    const double bias = random_element(bias_key, biases.dtype, biases.scale, at);
    for (int64_t i = g * group; i < (g + 1) * group; ++i) {
      const uint32_t word = random_bits(code_key, row * words + i * bits / kWordBits);
      const uint32_t code = word >> (i * bits % kWordBits) & ((1u << bits) - 1);
      out.values.push_back(scale * code + bias);
      out.parts.push_back(std::fabs(scale * code) + std::fabs(bias));
    }
  }
  return out;
}

}  // namespace ridge
