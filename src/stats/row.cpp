#include "stats/row.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "stats/quantile.h"

namespace ridge::stats {

std::optional<RowEstimate> estimate_row(std::span<const RoundSeries> rounds, int not_steady,
                                        double target, double confidence) {
  std::vector<double> medians;
  std::vector<std::span<const double>> samples;
  double logs = 0;
  for (const RoundSeries& round : rounds) {
    if (round.samples.empty()) continue;
    const double centre = *median(round.samples);
    if (!(centre > 0) || !std::isfinite(centre)) return std::nullopt;
    medians.push_back(centre);
    samples.push_back(round.samples);
    logs += std::log(centre);
  }
  if (medians.empty()) return std::nullopt;

  RowEstimate row;
  row.value = std::exp(logs / static_cast<double>(medians.size()));
  row.drift = drift_over(rounds);
  row.modes = two_modes_over(samples);
  const auto estimate = between_rounds_interval(medians, confidence);
  const bool torn = row.modes && row.modes->where == ModesAre::within_rounds &&
                    std::max(row.modes->modes.fast.share, row.modes->modes.slow.share) < 0.75;
  if (estimate && !torn) row.between_rounds = estimate->interval;
  if (!estimate) {
    row.caveat = Caveat::few_samples;
  } else if (row.modes && row.modes->where == ModesAre::within_rounds) {
    row.caveat = Caveat::bimodal;
  } else if (4 * static_cast<size_t>(std::max(not_steady, 0)) > medians.size()) {
    row.caveat = Caveat::not_steady;
  } else {
    row.interval = estimate->interval;
    if (estimate->relative_half_width() > target) row.caveat = Caveat::imprecise;
  }
  return row;
}

}  // namespace ridge::stats
