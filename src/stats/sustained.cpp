#include "stats/sustained.h"

#include <algorithm>
#include <cmath>

#include "stats/quantile.h"

namespace ridge::stats {
namespace {
constexpr size_t kLeastWindows = 12;
constexpr double kSettled = 0.03;
}  // namespace

std::vector<Window> rate_windows(std::span<const double> start_ns, std::span<const double> ns,
                                 double ops_per_sample, double width_s) {
  std::vector<Window> windows;
  const double width_ns = width_s * 1e9;
  for (size_t i = 0; i < ns.size();) {
    const double number = std::floor(start_ns[i] / width_ns);
    double ops = 0, took = 0;
    for (; i < ns.size() && std::floor(start_ns[i] / width_ns) == number; ++i) {
      ops += ops_per_sample;
      took += ns[i] * ops_per_sample;
    }
    if (took > 0) windows.push_back({number * width_s, ops / took * 1e9});
  }
  return windows;
}

std::optional<SustainedRate> sustained_rate(std::span<const Window> windows) {
  const size_t n = windows.size();
  if (n < kLeastWindows) return std::nullopt;
  std::vector<double> rates;
  for (const Window& window : windows) rates.push_back(window.per_s);
  const std::span<const double> all(rates);
  SustainedRate found;
  found.burst = *median(all.subspan(1, std::max<size_t>(1, n / 10)));
  const auto last = all.subspan(n - n / 3);
  found.sustained = *median(last);
  found.interval = median_interval(last);
  // Medians of three: a single window that something else disturbed does not count.
  size_t settled = n;
  for (size_t i = n - 2; i >= 1; --i) {
    const double smooth = *median(all.subspan(i - 1, 3));
    if (std::fabs(smooth / found.sustained - 1) > kSettled) break;
    settled = i - 1;
  }
  if (settled < n) found.settled_after_s = windows[settled].at_s - windows[0].at_s;
  return found;
}

}  // namespace ridge::stats
