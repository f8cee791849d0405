#include "stats/modes.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "stats/quantile.h"

namespace ridge::stats {
namespace {

constexpr size_t kLeastSamples = 30;
constexpr double kLeastShare = 0.1;
constexpr double kGapInMads = 5;
constexpr double kGapInWidestMad = 3;
constexpr double kLeastGap = 0.01;     // relative; clock ticks make a MAD of 0
constexpr double kMostInValley = 0.1;  // of the samples; uniform or Gaussian data have 17 %
constexpr double kLeastGapOfRounds = 0.05;

// Where to cut sorted numbers in two so that the parts' means differ most (Otsu 1979). The numbers
// beyond the 5 % and 95 % quantiles are drawn in, or one outlier would attract the cut.
size_t best_split(std::span<const double> sorted, size_t least) {
  const size_t n = sorted.size();
  const double low = quantile_of_sorted(sorted, 0.05), high = quantile_of_sorted(sorted, 0.95);
  double total = 0;
  for (const double value : sorted) total += std::clamp(value, low, high);
  size_t best = least;
  double best_score = -1, sum = 0;
  for (size_t i = 1; i + least <= n; ++i) {
    sum += std::clamp(sorted[i - 1], low, high);
    if (i < least) continue;
    const auto left = static_cast<double>(i), right = static_cast<double>(n - i);
    const double difference = (total - sum) / right - sum / left;
    const double score = left * right * difference * difference;
    if (score > best_score) best_score = score, best = i;
  }
  return best;
}

struct Split {
  double fast = 0, slow = 0;  // medians of the logarithms
  double cut = 0;             // least logarithm of the slow part
  double share = 0;           // of the fast part
};

std::optional<Split> clear_split(std::span<const double> samples) {
  if (samples.size() < kLeastSamples) return std::nullopt;
  std::vector<double> logs = sorted_copy(samples);
  if (!(logs.front() > 0) || !std::isfinite(logs.back())) return std::nullopt;
  for (double& value : logs) value = std::log(value);
  const std::span<const double> all(logs);
  const auto n = static_cast<double>(all.size());
  const auto least = static_cast<size_t>(std::ceil(kLeastShare * n));
  const size_t at = best_split(all, least);
  const auto left = all.first(at), right = all.subspan(at);
  Split split{quantile_of_sorted(left, 0.5), quantile_of_sorted(right, 0.5), right.front(),
              static_cast<double>(at) / n};
  const double fast_mad = *median_absolute_deviation(left, split.fast);
  const double slow_mad = *median_absolute_deviation(right, split.slow);
  const double mad = split.share * fast_mad + (1 - split.share) * slow_mad;
  const double gap = split.slow - split.fast;
  if (gap <= std::max(kGapInMads * mad, kLeastGap)) return std::nullopt;
  if (gap <= kGapInWidestMad * std::max(fast_mad, slow_mad)) return std::nullopt;
  const double middle = std::midpoint(left.back(), right.front());
  if (middle < split.fast + gap / 4 || middle > split.slow - gap / 4) return std::nullopt;
  const auto from = std::upper_bound(all.begin(), all.end(), split.fast + gap / 3);
  const auto to = std::lower_bound(all.begin(), all.end(), split.slow - gap / 3);
  if (static_cast<double>(to - from) > kMostInValley * n) return std::nullopt;
  return split;
}

Modes as_modes(const Split& split) {
  return {{std::exp(split.fast), split.share}, {std::exp(split.slow), 1 - split.share}};
}

bool visits_both(std::span<const double> samples, double cut) {
  const auto slow = std::count_if(samples.begin(), samples.end(),
                                  [&](double value) { return std::log(value) >= cut; });
  const double share = static_cast<double>(slow) / static_cast<double>(samples.size());
  return share >= kLeastShare && share <= 1 - kLeastShare;
}

std::optional<Modes> modes_of_rounds(std::vector<double> medians) {
  if (medians.size() < 3) return std::nullopt;
  std::sort(medians.begin(), medians.end());
  for (double& value : medians) value = std::log(value);
  size_t at = 1;
  for (size_t i = 1; i < medians.size(); ++i) {
    if (medians[i] - medians[i - 1] > medians[at] - medians[at - 1]) at = i;
  }
  const std::span<const double> all(medians);
  const auto left = all.first(at), right = all.subspan(at);
  const double inside = std::max(left.back() - left.front(), right.back() - right.front());
  if (right.front() - left.back() <= std::max(kLeastGapOfRounds, kGapInMads * inside)) {
    return std::nullopt;
  }
  const auto share = static_cast<double>(at) / static_cast<double>(all.size());
  return Modes{{std::exp(quantile_of_sorted(left, 0.5)), share},
               {std::exp(quantile_of_sorted(right, 0.5)), 1 - share}};
}

}  // namespace

std::optional<Modes> two_modes(std::span<const double> samples) {
  const auto split = clear_split(samples);
  if (!split) return std::nullopt;
  return as_modes(*split);
}

std::optional<RowModes> two_modes_over(std::span<const std::span<const double>> rounds) {
  std::vector<double> pooled, medians;
  size_t counted = 0, alone = 0;
  for (const auto round : rounds) {
    if (round.empty()) continue;
    ++counted;
    pooled.insert(pooled.end(), round.begin(), round.end());
    medians.push_back(*median(round));
    if (two_modes(round)) ++alone;
  }
  if (counted == 0) return std::nullopt;

  const auto split = clear_split(pooled);
  if (split) {
    size_t both = 0;
    for (const auto round : rounds) both += !round.empty() && visits_both(round, split->cut);
    if (2 * std::max(both, alone) >= counted) {
      return RowModes{as_modes(*split), ModesAre::within_rounds};
    }
  } else if (2 * alone >= counted) {
    // The rounds' own bias blurs the modes of all samples together: those of the longest round.
    const auto longest =
        std::max_element(rounds.begin(), rounds.end(),
                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
    const auto modes = two_modes(*longest);
    if (modes) return RowModes{*modes, ModesAre::within_rounds};
  }
  const auto between = modes_of_rounds(std::move(medians));
  if (between) return RowModes{*between, ModesAre::between_rounds};
  return std::nullopt;
}

}  // namespace ridge::stats
