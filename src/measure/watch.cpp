#include "measure/watch.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "stats/quantile.h"

namespace ridge {
namespace {

constexpr double kInterval = 0.2;         // s between readings
constexpr double kMostShare = 0.001;      // of a processor, for readings
constexpr double kTolerated = 0.05;       // of one processor
constexpr double kTick = 0.03;            // s: the counts are coarse, three of them add up
constexpr double kLeastWait = 0.002;      // s, for a processor: less is everybody's lot
constexpr double kLongWait = 0.0005;      // s, at a time: others ran; less is what waking up takes
constexpr double kBusy = 0.5;             // of the time: a processor that works
constexpr double kLeastBusySpan = 0.1;    // s, ten ticks: less does not tell who works
constexpr double kAwake = 0.6;            // of its base clock
constexpr double kLeastEnergySpan = 0.4;  // s; counters move every ms, so half of it is good to 1 %
constexpr double kSameEnergy = 0.1;       // halves that differ by more do not agree

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The clocks of the processors that worked between two readings, as the second says.
void take_clocks(const Reading& before, const Reading& after, std::vector<double>& hz) {
  if (!before.cpu || !after.cpu || after.at_s - before.at_s < kLeastBusySpan) return;
  const auto &was = before.cpu->processor_busy_s, &is = after.cpu->processor_busy_s;
  for (size_t i = 0; i < after.clock_hz.size(); ++i) {
    if (!after.clock_hz[i] || i >= was.size() || i >= is.size()) continue;
    if (is[i] - was[i] >= kBusy * (after.at_s - before.at_s)) hz.push_back(*after.clock_hz[i]);
  }
}

std::optional<double> joules(const std::vector<Reading>& readings, size_t from, size_t to,
                             size_t domain, int64_t range_uj) {
  double sum = 0;
  for (size_t i = from; i < to; ++i) {
    const Reading &a = readings[i], &b = readings[i + 1];
    if (domain >= a.energy_uj.size() || domain >= b.energy_uj.size()) return std::nullopt;
    if (!a.energy_uj[domain] || !b.energy_uj[domain]) return std::nullopt;
    const auto gained =
        gained_joules(*a.energy_uj[domain], *b.energy_uj[domain], range_uj, b.at_s - a.at_s);
    if (!gained) return std::nullopt;
    sum += *gained;
  }
  return sum;
}

struct Energy {
  double total_j = 0;     // packages and memory
  bool parts_fit = true;  // no part took more than its package
};
std::optional<Energy> energy(const std::vector<Reading>& readings, size_t from, size_t to,
                             const std::vector<EnergyDomain>& domains) {
  Energy out;
  for (size_t d = 0; d < domains.size(); ++d) {
    const auto own = joules(readings, from, to, d, domains[d].range_uj);
    if (!own) return std::nullopt;
    if (domains[d].name != "core") {
      out.total_j += *own;
      continue;
    }
    for (size_t p = 0; p < domains.size(); ++p) {
      if (domains[p].path != domains[d].package) continue;
      const auto package = joules(readings, from, to, p, domains[p].range_uj);
      if (!package || *own > *package * (1 + kSameEnergy)) out.parts_fit = false;
    }
  }
  return out;
}

// Power over the whole, if its two halves agree and no core takes more than its package.
std::optional<double> agreed_power(const std::vector<Reading>& readings,
                                   const std::vector<EnergyDomain>& domains) {
  if (domains.empty() || readings.size() < 3) return std::nullopt;
  const double begin = readings.front().at_s, end = readings.back().at_s;
  if (end - begin < kLeastEnergySpan) return std::nullopt;
  size_t middle = 1;
  for (size_t i = 1; i + 1 < readings.size(); ++i) {
    const double half = (begin + end) / 2;
    if (std::abs(readings[i].at_s - half) < std::abs(readings[middle].at_s - half)) middle = i;
  }
  const size_t last = readings.size() - 1;
  const double first_s = readings[middle].at_s - begin, second_s = end - readings[middle].at_s;
  if (std::min(first_s, second_s) < kLeastEnergySpan / 4) return std::nullopt;
  const auto whole = energy(readings, 0, last, domains);
  const auto first = energy(readings, 0, middle, domains);
  const auto second = energy(readings, middle, last, domains);
  if (!whole || !first || !second || !whole->parts_fit || whole->total_j <= 0) return std::nullopt;
  const double a = first->total_j / first_s, b = second->total_j / second_s;
  if (std::abs(a - b) > kSameEnergy * (a + b) / 2) return std::nullopt;
  return whole->total_j / (end - begin);
}

bool grew(const std::optional<int64_t>& before, const std::optional<int64_t>& after) {
  return before && after && *after > *before;
}

void note(std::vector<Disturbed>& all, double from_s, double to_s, const char* what) {
  if (!all.empty() && all.back().what == what && all.back().to_ns == from_s * 1e9) {
    all.back().to_ns = to_s * 1e9;  // it went on
  } else {
    all.push_back({from_s * 1e9, to_s * 1e9, what});
  }
}

}  // namespace

double pause_after(double reading_took_s) {
  return std::max(kInterval, reading_took_s / kMostShare);
}

Watched judge(const std::vector<Reading>& readings, const std::vector<EnergyDomain>& domains,
              std::optional<double> awake_hz, const OurTime& ours) {
  Watched out;
  RowTelemetry& row = out.telemetry;
  row.readings = static_cast<int64_t>(readings.size());
  for (const Reading& reading : readings) {
    if (const auto& celsius = reading.temperature_celsius) {
      row.temperature_max_celsius =
          std::max(row.temperature_max_celsius.value_or(*celsius), *celsius);
    }
    if (const auto& load = reading.load1)
      row.load1_max = std::max(row.load1_max.value_or(0), *load);
  }
  if (readings.size() < 2) return out;
  const Reading &first = readings.front(), &last = readings.back();
  const double span = last.at_s - first.at_s;

  std::vector<double> clocks;
  std::vector<Disturbed> throttled;
  for (size_t i = 0; i + 1 < readings.size(); ++i) {
    const Reading &a = readings[i], &b = readings[i + 1];
    take_clocks(a, b, clocks);
    if (a.cpu && b.cpu && b.at_s > a.at_s &&
        b.cpu->steal_s - a.cpu->steal_s > kTolerated * (b.at_s - a.at_s) + kTick) {
      note(out.disturbed, a.at_s, b.at_s, "steal");
    }
    const bool hot = grew(a.hot_events, b.hot_events);
    const bool power = grew(a.power_events, b.power_events);
    out.throttled_thermal |= hot;
    out.throttled_power |= power;
    if (hot || power) note(throttled, a.at_s, b.at_s, "throttled");
  }
  out.disturbed.insert(out.disturbed.end(), throttled.begin(), throttled.end());
  if (!clocks.empty()) {
    row.clock_median_mhz = *stats::median(clocks) * 1e-6;
    row.clock_min_mhz = *std::min_element(clocks.begin(), clocks.end()) * 1e-6;
    row.clock_max_mhz = *std::max_element(clocks.begin(), clocks.end()) * 1e-6;
    out.clock_idle = awake_hz && *stats::median(clocks) < kAwake * *awake_hz;
  }
  if (first.hot_events || first.power_events) {
    row.throttle_events = last.hot_events.value_or(0) - first.hot_events.value_or(0) +
                          last.power_events.value_or(0) - first.power_events.value_or(0);
    if (*row.throttle_events < 0) row.throttle_events = std::nullopt;  // counted anew
  }
  if (first.cpu && last.cpu) {
    const double steal = last.cpu->steal_s - first.cpu->steal_s;
    const double total = last.cpu->total_s - first.cpu->total_s;
    if (total > 0 && steal >= 0) row.steal_percent = 100 * steal / total;
    out.swapping = last.cpu->swapped_pages > first.cpu->swapped_pages;
    if (ours.used_s) {
      const double others = last.cpu->busy_s - first.cpu->busy_s + steal - *ours.used_s;
      out.contended = others > kTolerated * span + kTick;
      // Short rows, too short for ticks, wait for a processor all the same. Of one that waits long
      // others must have used the time: else its own threads are too many.
      const auto [waited, times] = ours.waited.value_or(Waited{});
      out.contended |= waited > kTolerated * span + kLeastWait && others > waited / 2 - kTick &&
                       waited > kLongWait * static_cast<double>(times);
    }
  }
  out.power_w = agreed_power(readings, domains);
  return out;
}

Watch::Watch(int64_t worker_pid) : worker_pid_(worker_pid) { ours_before_ = ours(); }

const Telemetry& Watch::telemetry() {
  static const Telemetry here{Sources{}};
  return here;
}

OurTime Watch::ours() const {
  OurTime out{process_cpu_s({}, worker_pid_), process_waited({}, worker_pid_)};
  if (out.used_s) *out.used_s += process_cpu_s({}, ::getpid()).value_or(0);
  return out;
}

void Watch::read() {
  const double began = now_s();
  readings_.push_back(telemetry().read(began - origin_s_));
  const double ended = now_s();
  next_s_ = ended + pause_after(ended - began);
}

void Watch::look(double at_s) {
  if (readings_.empty()) origin_s_ = now_s() - (std::isfinite(at_s) ? at_s : 0);
  if (readings_.empty() || now_s() >= next_s_) read();
}

Watched Watch::end() {
  if (readings_.empty()) return {};
  read();
  const OurTime now = ours();
  OurTime since;
  if (now.used_s && ours_before_.used_s) since.used_s = *now.used_s - *ours_before_.used_s;
  if (now.waited && ours_before_.waited) {
    since.waited = Waited{now.waited->seconds - ours_before_.waited->seconds,
                          now.waited->times - ours_before_.waited->times};
  }
  Watched out = judge(readings_, telemetry().domains(), telemetry().awake_hz(), since);
  out.low_power_mode = telemetry().saves_power().value_or(false);
  out.on_battery = telemetry().on_battery().value_or(false);
  return out;
}

}  // namespace ridge
