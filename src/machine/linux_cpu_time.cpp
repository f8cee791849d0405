#include <fmt/format.h>
#include <unistd.h>

#include "machine/cpu_time.h"
#include "machine/files.h"

namespace ridge {
namespace {

using machine::parse_number;

struct Times {
  double busy_s = 0, steal_s = 0, total_s = 0;
};

double tick_s() { return 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK)); }

// "cpu3 user nice system idle iowait irq softirq steal …", in ticks.
std::optional<Times> time_of(std::string_view line) {
  const auto fields = machine::words(line);
  if (fields.size() < 9) return std::nullopt;
  Times out;
  for (size_t i = 1; i < 9; ++i) {
    const auto ticks = parse_number<int64_t>(fields[i]);
    if (!ticks || *ticks < 0) return std::nullopt;
    const double seconds = static_cast<double>(*ticks) * tick_s();
    out.total_s += seconds;
    if (i == 8) {
      out.steal_s = seconds;
    } else if (i != 4 && i != 5) {  // idle and waiting for a disk are not work
      out.busy_s += seconds;
    }
  }
  return out;
}

}  // namespace

std::optional<CpuTime> cpu_time(const Sources& sources) {
  const auto stat = machine::read_text(sources, "/proc/stat", machine::kLargeFile);
  if (!stat) return std::nullopt;
  const auto lines = machine::split(*stat, '\n');
  const auto all = lines.empty() ? std::nullopt : time_of(lines[0]);
  if (!all || !lines[0].starts_with("cpu ")) return std::nullopt;
  CpuTime out{all->busy_s, all->steal_s, all->total_s, 0, {}};
  if (out.total_s <= 0) return std::nullopt;  // a sandbox that shows zeros
  for (size_t i = 1; i < lines.size() && lines[i].starts_with("cpu"); ++i) {
    const auto number = machine::numbered(machine::words(lines[i])[0], "cpu");
    const auto one = time_of(lines[i]);
    if (!number || *number >= 65536 || !one) continue;
    const auto index = static_cast<size_t>(*number);
    if (out.processor_busy_s.size() <= index) out.processor_busy_s.resize(index + 1, 0);
    out.processor_busy_s[index] = one->busy_s;
  }
  if (const auto vmstat = machine::read_text(sources, "/proc/vmstat")) {
    for (const std::string_view line : machine::split(*vmstat, '\n')) {
      if (!line.starts_with("pswpin ") && !line.starts_with("pswpout ")) continue;
      out.swapped_pages += parse_number<int64_t>(machine::words(line).back()).value_or(0);
    }
  }
  return out;
}

std::optional<double> process_cpu_s(const Sources& sources, int64_t pid) {
  const auto stat = machine::read_line(sources, fmt::format("/proc/{}/stat", pid));
  if (!stat) return std::nullopt;
  // The name in parentheses may hold anything; utime and stime are the 12th and 13th field after
  // it.
  const size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const std::string rest = stat->substr(name_end + 1);
  const auto fields = machine::words(rest);
  if (fields.size() < 13) return std::nullopt;
  const auto user = parse_number<double>(fields[11]), system = parse_number<double>(fields[12]);
  if (!user || !system) return std::nullopt;
  return (*user + *system) * tick_s();
}

std::optional<Waited> process_waited(const Sources& sources, int64_t pid) {
  const std::string folder = fmt::format("/proc/{}/task", pid);
  Waited out;
  bool any = false;
  for (const std::string& thread : machine::list_folder(sources, folder)) {
    // Nanoseconds on a processor, and waiting for one; how often it got one.
    const auto line = machine::read_line(sources, fmt::format("{}/{}/schedstat", folder, thread));
    if (!line) continue;  // it ended
    const auto fields = machine::words(*line);
    if (fields.size() < 3) return std::nullopt;
    const auto waited = parse_number<double>(fields[1]);
    const auto times = parse_number<int64_t>(fields[2]);
    if (!waited || !times) return std::nullopt;
    out.seconds += *waited * 1e-9;
    out.times += *times;
    any = true;
  }
  if (!any) return std::nullopt;
  return out;
}

}  // namespace ridge
