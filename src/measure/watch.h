#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "machine/cpu_time.h"
#include "machine/telemetry.h"
#include "store/row.h"
#include "store/run_file.h"

namespace ridge {

// What the readings say about the part of a round that they were taken in.
struct Watched {
  RowTelemetry telemetry;         // without energy_j_per_op, which needs the ops
  std::optional<double> power_w;  // where two halves and the domains agree on it
  std::vector<Disturbed> disturbed;
  bool contended = false;  // others, or the hypervisor, took more than 5 % of a processor
  bool swapping = false;
  bool throttled_power = false, throttled_thermal = false;
  bool clock_idle = false;
  bool low_power_mode = false, on_battery = false;
};

// Processor time between the first reading and the last, where the system tells.
struct OurTime {
  std::optional<double> used_s;  // by the worker and us
  std::optional<Waited> waited;  // by the worker's threads for a processor
};

// The rules of method.md ("Telemetry"); readings' at_s is since the first sample began.
Watched judge(const std::vector<Reading>& readings, const std::vector<EnergyDomain>& domains,
              std::optional<double> awake_hz, const OurTime& ours);

// Watches the machine while a worker is timed: a reading at most every 0.2 s and so seldom that
// readings take less than 0.1 % of a processor, beside the first and the last.
class Watch {
 public:
  explicit Watch(int64_t worker_pid);

  // After samples came; `at_s`: when the last of them ended, since the first began. Only the first
  // call's is used: from then on our own clock counts.
  void look(double at_s);
  // After the last sample.
  Watched end();

  // What this machine tells, looked for once.
  static const Telemetry& telemetry();

 private:
  void read();
  OurTime ours() const;

  int64_t worker_pid_;
  OurTime ours_before_;
  std::vector<Reading> readings_;
  double origin_s_ = 0;  // when the first sample began, by our clock
  double next_s_ = 0;
};

// When the next reading is due after one that took so long: seconds.
double pause_after(double reading_took_s);

}  // namespace ridge
