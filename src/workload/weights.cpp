#include "workload/weights.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace ridge {
namespace {

constexpr WeightLayout kLayouts[] = {{.bits = 4, .group = 64},  {.bits = 8, .group = 64},
                                     {.bits = 8, .group = 32},  {.bits = 4, .group = 32},
                                     {.bits = 4, .group = 256}, {.bits = 6, .group = 256}};
constexpr int kWordBits = 32;

// With codes c uniform in 0 to 2^bits - 1, the mean of c² is about 2^(2·bits)/3. Of the variance
// 1/3 three quarters come from scale·code and one from the bias.
constexpr double kBiasScale = 0.5;
double scale_of_scales(int bits) { return 1.5 / ((1 << bits) - 1); }

// Where the codes begin in a block whose elements have an offset that kernels take off apart.
std::optional<size_t> codes_after_offset(BlockFormat format) {
  if (format == BlockFormat::q4_0) return 2;
  if (format == BlockFormat::q4_k) return 16;
  return std::nullopt;
}

WeightRow block_row(const TensorSpec& tensor, TensorKey key, int64_t row) {
  const BlockFormat format = *tensor.blocks;
  const int64_t size = block_bytes(format), blocks = tensor.shape[1] / size;
  const auto elements = static_cast<size_t>(blocks * block_elements(format));
  std::vector<std::byte> bytes(static_cast<size_t>(blocks * size));
  fill(tensor, key, row * blocks, blocks, bytes.data());
  WeightRow out{std::vector<double>(elements), std::vector<double>(elements)};
  dequantise(format, bytes.data(), blocks, out.values.data());
  if (const auto codes = codes_after_offset(format)) {  // elements whose code is 0: the offset
    for (auto block = bytes.begin(); block != bytes.end(); block += size) {
      std::fill(block + static_cast<std::ptrdiff_t>(*codes), block + size, std::byte{0});
    }
    dequantise(format, bytes.data(), blocks, out.parts.data());
  }
  for (size_t i = 0; i < elements; ++i) {
    const double value = out.values[i];
    out.parts[i] = std::max(std::fabs(value), std::fabs(value - out.parts[i]));
  }
  return out;
}

}  // namespace

WeightLayout layout_of(WeightFormat format) { return kLayouts[static_cast<size_t>(format)]; }

std::optional<BlockFormat> ggml_format(WeightFormat format) {
  switch (format) {
    case WeightFormat::q8_0: return BlockFormat::q8_0;
    case WeightFormat::q4_0: return BlockFormat::q4_0;
    case WeightFormat::q4_k: return BlockFormat::q4_k;
    case WeightFormat::q6_k: return BlockFormat::q6_k;
    case WeightFormat::q4_g64:
    case WeightFormat::q8_g64: break;
  }
  return std::nullopt;
}

std::vector<TensorSpec> weight_tensors(WeightFormat format, std::string_view name, DType dtype,
                                       int64_t n, int64_t k) {
  using Role = TensorSpec::Role;
  const auto [bits, group] = layout_of(format);
  const std::string tensor(name);
  if (const auto blocks = ggml_format(format)) {
    return {{tensor, Role::weight, DType::int8, {n, bytes_of(*blocks, k)}, 1.0, blocks}};
  }
  return {{tensor, Role::weight, DType::uint32, {n, k * bits / kWordBits}},
          {tensor + "_scale", Role::weight, dtype, {n, k / group}, scale_of_scales(bits)},
          {tensor + "_bias", Role::weight, dtype, {n, k / group}, kBiasScale}};
}

WeightRow weight_row(WeightFormat format, const std::vector<TensorSpec>& tensors,
                     const InputSource& inputs, int64_t row) {
  if (tensors[0].blocks) return block_row(tensors[0], inputs.key(tensors[0].name), row);
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
