#include <algorithm>
#include <map>
#include <utility>

#include "machine/platform.h"

namespace ridge::machine {

std::vector<HeavyProcess> heavy_processes(const ProcessTimes& before, const ProcessTimes& after,
                                          double seconds, double least) {
  constexpr size_t kMost = 20;
  std::map<std::pair<int64_t, int64_t>, double> used_before;
  for (const ProcessTime& process : before.processes) {
    used_before[{process.pid, process.started}] = process.seconds;
  }
  std::vector<HeavyProcess> out;
  if (!(seconds > 0)) return out;
  for (const ProcessTime& process : after.processes) {
    const auto earlier = used_before.find({process.pid, process.started});
    const double used = process.seconds - (earlier == used_before.end() ? 0 : earlier->second);
    if (used / seconds > least) out.push_back({process.pid, process.name, used / seconds});
  }
  std::sort(out.begin(), out.end(), [](const HeavyProcess& a, const HeavyProcess& b) {
    return a.share != b.share ? a.share > b.share : a.pid < b.pid;
  });
  if (out.size() > kMost) out.resize(kMost);
  return out;
}

}  // namespace ridge::machine
