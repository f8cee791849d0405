#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace ridge::stats {

// When warm-up is over. The blocks' own noise sets how closely they must agree.
struct SteadyRule {
  double block_s = 0.05;            // a block lasts at least so long, or is one sample
  int64_t least_block_samples = 4;  // in a block of short samples
  int64_t least_samples = 4;        // nothing is decided before so many samples
  double least_s = 0.25;            // nor before so many seconds
  double discard_s = 0;             // always warm-up: 3 for compute-bound GPU work (CUTLASS)
  double few_blocks_agree = 0.01;   // 3 to 5 blocks, too few to show noise: within this range
  double always_agree = 0.0005;     // closer than this never counts as a difference
};

// Index of the first steady sample of a round, or nullopt: not steady yet. Looks back: blocks that
// agree are steady data themselves, and with more samples the answer gets sharper (it may move
// either way). In the steady part (at least 3 blocks and a third of all) no head of 1, 2, 4, …
// blocks differs from the rest. Blocks of one sample are too few to waste: it starts half as long
// again after the warm-up that was seen. Short samples are cheap: it leaves out what a decay may
// still hide in the noise, and at least the first third. samples_ns: ns per op, in order, from the
// round's first timed sample. O(n).
std::optional<int64_t> steady_start(std::span<const double> samples_ns, double ops_per_sample,
                                    const SteadyRule& rule = {});

// How far the second half's median lies from the first half's, as a share of it; nullopt below 4
// samples.
std::optional<double> change_of_halves(std::span<const double> samples_ns);

}  // namespace ridge::stats
