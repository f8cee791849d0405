#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/roofline.h"
#include "machine/chips.h"

namespace ridge {

// Whether a roof is what its chip should give. Sources of the shares: data/chips.json and the pages
// it names.
//
// Best products over dense peak: 51 % (MI300X, bf16) to 87 % (A100, M5); 73 to 84 % on Hopper and
// Blackwell; 94 to 99 % of a processor's or an older Apple GPU's plain FMA peak.
inline constexpr double kLeastOfPeak = 0.50;
// The same product on the same chip differs by 3 to 10 % with library, clock and cooling.
inline constexpr double kLeastOfOthersBest = 0.90;
// Streams over bandwidth: 77 % (M5) to 95 % (mixbench, RTX 2070); clpeak's 67 % on MI300X is low.
inline constexpr double kLeastOfBandwidth = 0.70;
// Above a peak by more than clocks are known to (chips.json: ±5 %), one of the two is wrong.
inline constexpr double kMostOfPeak = 1.05;

struct ChipVerdict {
  enum class Is { unknown, low, normal, high };
  Is is = Is::unknown;
  std::optional<double> published;  // in the roof's unit
  std::string published_of;         // "dense peak", "others' best product", "installed memory"
  std::optional<double> share;      // roof / published
  std::string says;                 // one line; why, where it is unknown
};
std::string_view name(ChipVerdict::Is is);

// Bytes a second of the memory that is installed, or else of the chip; nullopt: nobody knows, or it
// is a virtual machine's share.
std::optional<double> published_bandwidth(const std::string& device,
                                          const std::vector<DeviceChip>& chips,
                                          const Header& header);

// `chips` are those of the machine that `header` describes, `from` the row that made the roof.
// Dense figures only; no figure, no clock or a part of a chip: no share.
ChipVerdict judge(const Roof& roof, const std::vector<DeviceChip>& chips, const Header& header,
                  const Row& from);

}  // namespace ridge
