#include <set>

#include "machine/chips.h"

namespace ridge {

Json to_json(const DeviceChip& device) {
  Json out = Json::object();
  out.set("device", device.device).set("name", device.name.empty() ? Json() : Json(device.name));
  if (device.name.empty()) out.set("name_reason", device.match.reason);
  if (!device.match.chip) {
    Json candidates = Json::array();
    for (const std::string& candidate : device.match.candidates) candidates.push(candidate);
    out.set("chip", nullptr).set("chip_reason", device.match.reason);
    out.set("candidates", std::move(candidates));
    return out;
  }
  const Chip& chip = *device.match.chip;
  out.set("chip", chip.id).set("announced", chip.announced);
  Json peaks = Json::array(), cores = Json::array();
  std::set<std::string> seen;
  for (const Peak& any : chip.peaks) {
    const auto peak = dense_peak(chip, any.dtype);
    if (!peak || !seen.insert(any.dtype).second) continue;
    Json one = Json::object();
    one.set("dtype", peak->dtype).set("flops", peak->flops).set("source", peak->source);
    peaks.push(std::move(one));
  }
  for (const CorePeak& core : chip.per_core) {
    Json one = Json::object();
    one.set("dtype", core.dtype).set("flop_per_clock", core.flop_per_clock);
    cores.push(one.set("source", core.source));
  }
  if (chip.kind == ChipKind::cpu) {
    out.set("per_core", std::move(cores));
  } else {
    out.set("dense_peaks", std::move(peaks));
    if (!chip.peaks_reason.empty()) out.set("dense_peaks_reason", chip.peaks_reason);
  }
  const auto bandwidth = memory_bandwidth(chip);
  out.set("memory_bandwidth_bytes_per_s", bandwidth.value);
  if (!bandwidth) out.set("memory_bandwidth_reason", bandwidth.reason);
  return out;
}

}  // namespace ridge
