#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ridge::stats {

// Consecutive samples, one median: what slow changes are looked for in.
struct Block {
  int64_t first = 0;  // index of the first sample
  int64_t count = 0;
  double median = 0;  // ns per op
};

// Cuts samples (ns per op, each of `ops_per_sample` ops) into blocks of at least `block_s` seconds:
// one sample where that is long enough, else at least `least_samples`. A last block that is not
// full is left out. O(n).
std::vector<Block> timed_blocks(std::span<const double> samples_ns, double ops_per_sample,
                                double block_s, int64_t least_samples);

// At most `most` blocks of as equal a count as can be; all samples are used.
std::vector<Block> counted_blocks(std::span<const double> samples_ns, int64_t most);

}  // namespace ridge::stats
