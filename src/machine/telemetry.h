#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "machine/cpu_time.h"
#include "machine/machine.h"

namespace ridge {

// Where each thing that telemetry reads comes from, or why this machine does not tell it.
struct TelemetryOrigins {
  Known<std::string> clock, temperature, load, processor_time, throttle, energy, power_saving;
};
Json to_json(const TelemetryOrigins& origins);  // {"clock": null, "clock_reason": "…", …}

// A counter of energy: a package (processor), or its cores, or its memory.
struct EnergyDomain {
  std::string name;      // "package-0", "core", "dram", as powercap names them
  std::string path;      // of its folder
  std::string package;   // the folder of the package it belongs to; its own path for a package
  int64_t range_uj = 0;  // the counter wraps after this; 0: not known
};

// What the machine tells at one moment. Absent: not told, never 0 in its place.
struct Reading {
  double at_s = 0;  // by the caller's clock
  std::optional<CpuTime> cpu;
  std::vector<std::optional<double>> clock_hz;  // by processor number; not all may be asked
  std::optional<double> temperature_celsius;    // the hottest sensor of the processor
  std::optional<double> load1;
  // Events since boot, over all processors: cores or packages that slowed down because of heat, and
  // because of a power limit.
  std::optional<int64_t> hot_events, power_events;
  std::vector<std::optional<int64_t>> energy_uj;  // by domain
};

// Reads what is there to be read. What exists is looked for once, when it is made.
class Telemetry {
 public:
  explicit Telemetry(Sources sources);

  Reading read(double at_s) const;
  const TelemetryOrigins& origins() const { return origins_; }
  const std::vector<EnergyDomain>& domains() const { return domains_; }
  // The clock that an awake processor does not fall below without cause: its base clock, or half of
  // its highest. Hz.
  std::optional<double> awake_hz() const { return awake_hz_; }
  // Settings that can change while we look: asked anew each time. nullopt: not told.
  std::optional<bool> saves_power() const;
  std::optional<bool> on_battery() const;

 private:
  void find_clocks();
  void find_throttle();
  void find_energy();

  Sources sources_;
  TelemetryOrigins origins_;
  std::vector<EnergyDomain> domains_;
  std::vector<std::pair<int64_t, std::string>> clock_files_;  // processor number, path
  bool clocks_of_cpuinfo_ = false;
  std::vector<std::string> hot_files_, power_files_;
  std::optional<double> awake_hz_;
};

// What a wrapping counter gained, in joules; nullopt where that cannot be told: it wrapped at an
// unknown range, or it gained more than 10 kW would.
std::optional<double> gained_joules(int64_t before_uj, int64_t after_uj, int64_t range_uj,
                                    double seconds);

}  // namespace ridge
