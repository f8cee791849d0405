#include "report/chips_md.h"

#include <fmt/format.h>

#include <set>

#include "report/table.h"

namespace ridge::report {
namespace {

std::string peaks(const Chip& chip) {
  std::vector<std::string> out;
  if (chip.kind == ChipKind::cpu) {
    for (const CorePeak& core : chip.per_core) {
      out.push_back(fmt::format("{} {:g}", core.dtype, core.flop_per_clock));
    }
    return fmt::format("{} FLOP a core and clock", fmt::join(out, ", "));
  }
  if (chip.peaks.empty()) return "unknown: " + chip.peaks_reason;
  std::set<std::string> seen;
  for (const Peak& any : chip.peaks) {
    const auto peak = dense_peak(chip, any.dtype);
    if (!peak || !seen.insert(any.dtype).second) continue;
    out.push_back(fmt::format("{} {:g}", peak->dtype, peak->flops / 1e12));
  }
  return fmt::format("{} TFLOPS", fmt::join(out, ", "));
}

std::string memory(const Chip& chip) {
  const auto bandwidth = memory_bandwidth(chip);
  if (!bandwidth) return "unknown: " + bandwidth.reason;
  return fmt::format("{:g} GB/s{}", *bandwidth / 1e9,
                     chip.kind == ChipKind::cpu ? " a socket" : "");
}

}  // namespace

std::string chips_markdown(const std::vector<DeviceChip>& devices) {
  Table table({"device", "chip", "dense peaks", "memory"});
  for (const DeviceChip& device : devices) {
    if (const Chip* chip = device.match.chip) {
      const std::string status = chip->announced ? " (announced)" : "";
      table.add(
          {device.device, chip->vendor + " " + chip->name + status, peaks(*chip), memory(*chip)});
      continue;
    }
    std::string why = "unknown: " + device.match.reason;
    if (!device.match.candidates.empty()) {
      why += fmt::format("; nearest: {}", fmt::join(device.match.candidates, ", "));
    }
    table.add({device.device, why, "", ""});
  }
  return "### Published figures\n\n" + table.markdown();
}

}  // namespace ridge::report
