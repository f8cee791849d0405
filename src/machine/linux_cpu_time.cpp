#include <fmt/format.h>
#include <unistd.h>

#include "machine/cpu_time.h"
#include "machine/files.h"

namespace ridge {
namespace {

using machine::parse_number;

double tick_s() { return 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK)); }

}  // namespace

std::optional<CpuTime> cpu_time(const Sources& sources) {
  const auto stat = machine::read_line(sources, "/proc/stat");
  if (!stat || !stat->starts_with("cpu ")) return std::nullopt;
  // cpu user nice system idle iowait irq softirq steal …
  const auto fields = machine::words(*stat);
  if (fields.size() < 9) return std::nullopt;
  CpuTime out;
  for (const size_t i : {1u, 2u, 3u, 6u, 7u}) {
    out.busy_s += parse_number<double>(fields[i]).value_or(0) * tick_s();
  }
  out.steal_s = parse_number<double>(fields[8]).value_or(0) * tick_s();
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

}  // namespace ridge
