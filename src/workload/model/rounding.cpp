#include "workload/model/rounding.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/dtype.h"

namespace ridge {
namespace {

void to_floats(std::span<double> row) {
  for (double& v : row) v = static_cast<double>(static_cast<float>(v));
}
void to_halves(std::span<double> row) {
  for (double& v : row) v = static_cast<double>(from_f16(to_f16(static_cast<float>(v))));
}
void to_brain_floats(std::span<double> row) {
  for (double& v : row) v = static_cast<double>(from_bf16(to_bf16(static_cast<float>(v))));
}
void to_tf32(std::span<double> row) {
  for (double& v : row) {
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(v));
    v = static_cast<double>(
        std::bit_cast<float>((bits + 0xfffu + ((bits >> 13) & 1u)) & ~uint32_t{0x1fff}));
  }
}
// Codes of -127 to 127 with a scale for each block.
void to_eight_bits(std::span<double> row, size_t block) {
  for (size_t at = 0; at < row.size(); at += block) {
    const auto part = row.subspan(at, std::min(block, row.size() - at));
    double most = 0;
    for (const double v : part) most = std::max(most, std::fabs(v));
    if (most == 0) continue;
    const double scale = most / 127;
    for (double& v : part) v = scale * std::nearbyint(v / scale);
  }
}

}  // namespace

void round_beside(BlockFormat weights, std::span<double> row) {
  switch (weights) {
    case BlockFormat::f32:
    case BlockFormat::f64: return to_tf32(row);
    case BlockFormat::f16: return to_halves(row);
    case BlockFormat::bf16: return to_brain_floats(row);
    default:
      return to_eight_bits(row, row.size() % 256 == 0 && block_elements(weights) == 256 ? 256 : 32);
  }
}

void round_weights(BlockFormat weights, std::span<double> row) {
  if (weights == BlockFormat::f32 || weights == BlockFormat::f64) to_tf32(row);
}

double rounded_product(BlockFormat weights, std::span<const float> a, std::span<const float> b) {
  constexpr size_t kTerms = 16, kLanes = 4;
  float sum = 0;
  for (size_t at = 0; at < a.size(); at += kTerms) {
    float lanes[kLanes] = {};
    const size_t end = std::min(at + kTerms, a.size());
    size_t i = at;
    for (; i + kLanes <= end; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
    }
    for (; i < end; ++i) lanes[i % kLanes] += a[i] * b[i];
    for (const float lane : lanes) sum += lane;
    if (weights == BlockFormat::f16) sum = from_f16(to_f16(sum));
  }
  return static_cast<double>(sum);
}

void round_to(KvFormat format, std::span<double> head) {
  switch (format) {
    case KvFormat::f32:
    case KvFormat::f16: return to_halves(head);
    case KvFormat::bf16: return to_brain_floats(head);
    case KvFormat::q8_0: return to_eight_bits(head, 32);
  }
}

void round_sum(KvFormat format, std::span<double> row) {
  format == KvFormat::f32 || format == KvFormat::f16 ? to_halves(row) : to_floats(row);
}

}  // namespace ridge
