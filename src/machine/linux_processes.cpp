#include <unistd.h>

#include "machine/files.h"
#include "machine/platform.h"

namespace ridge::machine {

ProcessTimes read_process_times(const Sources& sources) {
  ProcessTimes out;
  const double ticks_per_s = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const int64_t self = sources.is_this_machine() ? ::getpid() : -1;
  for (const std::string& name : list_folder(sources, "/proc")) {
    const auto pid = parse_number<int64_t>(name);
    if (!pid || *pid == self) continue;
    const auto stat = read_text(sources, "/proc/" + name + "/stat", 4096);
    if (!stat) continue;  // it ended, or is not ours to see
    // "pid (any text, brackets too) state ppid …": fields are counted after the last bracket.
    const size_t open = stat->find('('), close = stat->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) continue;
    const auto fields = words(std::string_view(*stat).substr(close + 1));
    if (fields.size() < 20) continue;
    const auto user = parse_number<int64_t>(fields[11]);
    const auto kernel = parse_number<int64_t>(fields[12]);
    const auto started = parse_number<int64_t>(fields[19]);
    if (!user || !kernel || !started) continue;
    const double seconds =
        (static_cast<double>(*user) + static_cast<double>(*kernel)) / ticks_per_s;
    out.processes.push_back({*pid, *started, stat->substr(open + 1, close - open - 1), seconds});
  }
  if (out.processes.empty()) out.reason = "/proc lists no processes";
  return out;
}

}  // namespace ridge::machine
