#include "analyze/chip_verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/units.h"

namespace ridge {
namespace {

std::optional<double> number(const Json* object, std::string_view key) {
  const Json* value = object ? object->find(key) : nullptr;
  if (!value || !value->is_number() || !(value->as_double() > 0)) return std::nullopt;
  return value->as_double();
}

bool virtual_machine(const Header& header) {
  const Json* system = header.machine.find("system");
  const Json* value = system ? system->find("virtual_machine") : nullptr;
  return value && value->is_bool() && value->as_bool();
}

const DeviceChip* chip_of(const std::vector<DeviceChip>& chips, const std::string& device) {
  for (const DeviceChip& one : chips) {
    if (one.device == device || (device != "cpu" && one.name == device)) return &one;
  }
  return nullptr;
}

ChipVerdict unknown(std::string why) {
  ChipVerdict out;
  out.says = std::move(why);
  return out;
}

// Held against one figure: low below `least` of it, high where it cannot be.
ChipVerdict held(const Roof& roof, double published, std::string what, double least) {
  ChipVerdict out;
  out.published = published;
  out.published_of = std::move(what);
  out.share = roof.rate.value / published;
  out.is = *out.share < least         ? ChipVerdict::Is::low
           : *out.share > kMostOfPeak ? ChipVerdict::Is::high
                                      : ChipVerdict::Is::normal;
  const char* text = out.is == ChipVerdict::Is::low    ? "lower than is normal"
                     : out.is == ChipVerdict::Is::high ? "more than can be: that figure is not of "
                                                         "this chip, or the rate is wrong"
                                                       : "normal";
  out.says = fmt::format("{:.0f} % of the {}: {}", 100 * *out.share, out.published_of, text);
  return out;
}

ChipVerdict judge_compute(const Roof& roof, const Chip& chip, const Header& header,
                          const Row& from) {
  if (chip.kind == ChipKind::cpu) {
    const Json* cpu = header.machine.find("cpu");
    const auto cores = number(cpu, "cores");
    auto clock = from.telemetry.clock_median_mhz;
    std::string at = "the clock it ran at";
    if (clock) *clock *= 1e6;
    if (!clock) {
      clock = number(cpu ? cpu->find("clocks") : nullptr, "maximum_hz");
      at = "the highest clock";
    }
    if (!clock || !cores) return unknown("no clock is known, so no peak");
    const auto used = roof.threads > 0 ? roof.threads : static_cast<int64_t>(*cores);
    const auto peak = dense_peak(chip, roof.operation, used, *clock);
    if (!peak) return unknown(peak.reason);
    return held(roof, *peak, fmt::format("peak of {} core{} at {}", used, used == 1 ? "" : "s", at),
                kLeastOfPeak);
  }
  const auto peak = dense_peak(chip, roof.operation);
  const auto best = std::find_if(chip.best_matmul.begin(), chip.best_matmul.end(),
                                 [&](const auto& one) { return one.dtype == roof.operation; });
  if (best != chip.best_matmul.end()) {
    ChipVerdict out =
        held(roof, best->flops, "best product that others measured", kLeastOfOthersBest);
    if (!peak) return out;
    const double share = roof.rate.value / peak->flops;
    out.is = share > kMostOfPeak               ? ChipVerdict::Is::high
             : out.is == ChipVerdict::Is::high ? ChipVerdict::Is::normal
                                               : out.is;
    out.says = fmt::format(
        "{:.0f} % of the dense peak, {:.0f} % of the best product that others measured: {}",
        100 * share, 100 * *out.share,
        out.is == ChipVerdict::Is::low    ? "lower than is normal"
        : out.is == ChipVerdict::Is::high ? "more than can be: look at what was computed"
                                          : "normal");
    out.published = peak->flops;
    out.published_of = "dense peak";
    out.share = share;
    return out;
  }
  if (!peak) return unknown(peak.reason);
  return held(roof, peak->flops, "dense peak", kLeastOfPeak);
}

std::optional<double> of_all_sockets(const Chip& chip, const Header& header) {
  const auto bandwidth = memory_bandwidth(chip);
  if (!bandwidth) return std::nullopt;
  if (chip.kind != ChipKind::cpu) return *bandwidth;
  return *bandwidth * number(header.machine.find("cpu"), "sockets").value_or(1);
}

ChipVerdict judge_memory(const Roof& roof, const Chip* chip, const Header& header) {
  if (roof.level != "memory") return unknown("no figure is published");
  if (roof.threads != 0) return unknown("a part of the cores, not the chip");
  if (roof.device == "cpu") {
    if (virtual_machine(header)) {
      return unknown("a virtual machine: its share of the host is not known");
    }
    const auto installed =
        number(header.machine.find("memory"), "theoretical_bandwidth_bytes_per_s");
    if (installed) return held(roof, *installed, "installed memory's bandwidth", kLeastOfBandwidth);
  }
  if (!chip) return unknown("no figure");
  const auto bandwidth = of_all_sockets(*chip, header);
  if (!bandwidth) return unknown(memory_bandwidth(*chip).reason);
  return held(roof, *bandwidth, "published bandwidth", kLeastOfBandwidth);
}

}  // namespace

std::optional<double> published_bandwidth(const std::string& device,
                                          const std::vector<DeviceChip>& chips,
                                          const Header& header) {
  if (device == "cpu") {
    if (virtual_machine(header)) return std::nullopt;
    const auto installed =
        number(header.machine.find("memory"), "theoretical_bandwidth_bytes_per_s");
    if (installed) return installed;
  }
  const DeviceChip* found = chip_of(chips, device);
  if (!found || !found->match.chip) return std::nullopt;
  return of_all_sockets(*found->match.chip, header);
}

std::string_view name(ChipVerdict::Is is) {
  switch (is) {
    case ChipVerdict::Is::unknown: return "unknown";
    case ChipVerdict::Is::low: return "low";
    case ChipVerdict::Is::normal: return "normal";
    case ChipVerdict::Is::high: return "high";
  }
  throw std::logic_error("no such verdict");
}

ChipVerdict judge(const Roof& roof, const std::vector<DeviceChip>& chips, const Header& header,
                  const Row& from) {
  if (roof.kind == Roof::Kind::call || roof.kind == Roof::Kind::file) {
    return unknown("no figure is published");
  }
  const DeviceChip* device = chip_of(chips, roof.device);
  const Chip* chip = device ? device->match.chip : nullptr;
  if (roof.kind == Roof::Kind::memory) return judge_memory(roof, chip, header);
  if (!chip) return unknown("unknown chip");
  return judge_compute(roof, *chip, header, from);
}

}  // namespace ridge
