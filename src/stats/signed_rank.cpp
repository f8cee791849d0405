#include "stats/signed_rank.h"

#include <algorithm>

#include "stats/quantile.h"

namespace ridge::stats {

std::vector<double> signed_rank_cdf(size_t n) {
  const size_t most = n * (n + 1) / 2;
  std::vector<double> share(most + 1, 0.0);  // of sign flips with that sum of positive ranks
  share[0] = 1;
  for (size_t rank = 1; rank <= n; ++rank) {
    for (size_t w = most + 1; w-- > 0;) {
      share[w] = (share[w] + (w >= rank ? share[w - rank] : 0)) / 2;
    }
  }
  for (size_t w = 1; w <= most; ++w) share[w] += share[w - 1];
  return share;
}

std::optional<Shift> signed_rank_shift(std::span<const double> differences, double confidence) {
  const size_t n = differences.size();
  const auto cdf = signed_rank_cdf(n);
  const double tail = (1 - confidence) / 2;
  if (n == 0 || cdf[0] > tail) return std::nullopt;
  std::vector<double> means;  // Walsh's
  means.reserve(n * (n + 1) / 2);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i; j < n; ++j) means.push_back((differences[i] + differences[j]) / 2);
  }
  std::sort(means.begin(), means.end());
  // As many means lie outside on either side as a statistic in the tail counts.
  size_t outside = 0;
  while (cdf[outside] <= tail) ++outside;
  Shift out;
  out.value = *median(means);
  out.interval = {means[outside - 1], means[means.size() - outside]};
  const auto below = static_cast<size_t>(std::upper_bound(means.begin(), means.end(), 0.0) -
                                         means.begin());  // 0 or less
  const auto above = static_cast<size_t>(
      means.end() - std::lower_bound(means.begin(), means.end(), 0.0));  // 0 or more
  out.p_value = std::min(1.0, 2 * cdf[std::min(below, above)]);
  return out;
}

}  // namespace ridge::stats
