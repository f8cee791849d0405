// Written after Apple's headers; not run here.
#include <cstdlib>

#include "machine/darwin_sysctl.h"
#include "machine/machine.h"

namespace ridge {

Snapshot snapshot(const Sources& sources) {
  Snapshot out;
  const std::string elsewhere = "only the running system tells";
  double load = 0;
  if (sources.is_this_machine() && ::getloadavg(&load, 1) == 1) {
    out.load1 = load;
  } else {
    out.load1 = Known<double>::unknown(elsewhere);
  }
  out.steal_ticks = Known<int64_t>::unknown("macOS does not count stolen time");
  out.context_switches = Known<int64_t>::unknown("macOS does not tell the machine's");
  out.clock_mean_hz = Known<double>::unknown("macOS does not tell it to a program without rights");
  out.temperature_celsius =
      Known<double>::unknown("macOS does not tell it to a program without rights");
  out.memory_available_bytes = sources.is_this_machine() ? machine::darwin_available_bytes()
                                                         : Known<int64_t>::unknown(elsewhere);
  return out;
}

}  // namespace ridge
