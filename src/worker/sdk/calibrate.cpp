#include "worker/sdk/calibrate.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace ridge::sdk {

double now_ns() {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<double>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since_start).count());
}

ClockCost calibrate_clock() {
  constexpr size_t kRegions = 1000;
  std::vector<double> empty;
  empty.reserve(kRegions);
  double tick = 1e9;
  for (size_t i = 0; i < kRegions; ++i) {
    const double begin = now_ns();
    const double end = now_ns();
    empty.push_back(end - begin);
    if (end > begin) tick = std::min(tick, end - begin);
  }
  const auto middle = empty.begin() + kRegions / 2;
  std::nth_element(empty.begin(), middle, empty.end());
  return {tick, *middle};
}

}  // namespace ridge::sdk
