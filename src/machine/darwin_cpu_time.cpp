// Not run here: written for macOS, which this build did not have.
#include "machine/cpu_time.h"

namespace ridge {

// host_processor_info and proc_pid_rusage would tell; without them nothing is claimed.
std::optional<CpuTime> cpu_time(const Sources&) { return std::nullopt; }
std::optional<double> process_cpu_s(const Sources&, int64_t) { return std::nullopt; }
std::optional<Waited> process_waited(const Sources&, int64_t) { return std::nullopt; }

}  // namespace ridge
