#include "stats/blocks.h"

#include <algorithm>

#include "stats/quantile.h"

namespace ridge::stats {
namespace {

// Reorders the samples of the block.
Block make_block(std::span<double> samples, int64_t first, int64_t count) {
  const auto part = samples.subspan(static_cast<size_t>(first), static_cast<size_t>(count));
  return {first, count, median_in_place(part)};
}

}  // namespace

std::vector<Block> timed_blocks(std::span<const double> samples_ns, double ops_per_sample,
                                double block_s, int64_t least_samples) {
  std::vector<Block> blocks;
  std::vector<double> scratch(samples_ns.begin(), samples_ns.end());
  const double wanted_ns = block_s * 1e9 / ops_per_sample;  // the sum of samples that fills a block
  double filled = 0;
  int64_t first = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(samples_ns.size()); ++i) {
    filled += samples_ns[static_cast<size_t>(i)];
    const int64_t count = i + 1 - first;
    const bool one_is_enough = count == 1 && filled >= wanted_ns;
    if (!one_is_enough && (filled < wanted_ns || count < least_samples)) continue;
    blocks.push_back(make_block(scratch, first, count));
    first = i + 1;
    filled = 0;
  }
  return blocks;
}

std::vector<Block> counted_blocks(std::span<const double> samples_ns, int64_t most) {
  std::vector<Block> blocks;
  std::vector<double> scratch(samples_ns.begin(), samples_ns.end());
  const auto n = static_cast<int64_t>(samples_ns.size());
  const int64_t count = std::min(n, most);
  blocks.reserve(static_cast<size_t>(std::max<int64_t>(count, 0)));
  for (int64_t b = 0; b < count; ++b) {
    const int64_t first = b * n / count;
    blocks.push_back(make_block(scratch, first, (b + 1) * n / count - first));
  }
  return blocks;
}

}  // namespace ridge::stats
