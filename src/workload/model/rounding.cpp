#include "workload/model/rounding.h"

#include <algorithm>
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
    case BlockFormat::f64: return to_floats(row);
    case BlockFormat::f16: return to_halves(row);
    case BlockFormat::bf16: return to_brain_floats(row);
    default:
      return to_eight_bits(row, row.size() % 256 == 0 && block_elements(weights) == 256 ? 256 : 32);
  }
}

void round_to(KvFormat format, std::span<double> head) {
  switch (format) {
    case KvFormat::f32: return to_floats(head);
    case KvFormat::f16: return to_halves(head);
    case KvFormat::bf16: return to_brain_floats(head);
    case KvFormat::q8_0: return to_eight_bits(head, 32);
  }
}

void round_probabilities(KvFormat format, std::span<double> row) {
  switch (format) {
    case KvFormat::f32: return to_floats(row);
    case KvFormat::bf16: return to_brain_floats(row);
    case KvFormat::f16:
    case KvFormat::q8_0: return to_halves(row);
  }
}

}  // namespace ridge
