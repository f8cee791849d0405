// Not run here: written for macOS, which this build did not have.
#include <stdlib.h>

#include "machine/darwin_iokit.h"
#include "machine/telemetry.h"

namespace ridge {
namespace {

const char* const kRights = "macOS does not tell it to a program without rights";

}  // namespace

void Telemetry::find_clocks() { origins_.clock = Known<std::string>::unknown(kRights); }
void Telemetry::find_throttle() { origins_.throttle = Known<std::string>::unknown(kRights); }
void Telemetry::find_energy() { origins_.energy = Known<std::string>::unknown(kRights); }

Telemetry::Telemetry(Sources sources) : sources_(std::move(sources)) {
  find_clocks();
  find_throttle();
  find_energy();
  origins_.temperature = Known<std::string>::unknown(kRights);
  origins_.processor_time = Known<std::string>::unknown("not asked for on macOS");
  origins_.power_saving = Known<std::string>::unknown("not asked for on macOS");
  origins_.load = sources_.is_this_machine()
                      ? Known<std::string>("getloadavg")
                      : Known<std::string>::unknown("only the running system tells");
}

Reading Telemetry::read(double at_s) const {
  Reading out;
  out.at_s = at_s;
  double load = 0;
  if (sources_.is_this_machine() && ::getloadavg(&load, 1) == 1) out.load1 = load;
  return out;
}

std::optional<bool> Telemetry::saves_power() const { return std::nullopt; }

std::optional<bool> Telemetry::on_battery() const {
  if (!sources_.is_this_machine()) return std::nullopt;
  const auto source = machine::iokit_power_source();
  if (!source) return std::nullopt;
  return *source == "battery";
}

}  // namespace ridge
