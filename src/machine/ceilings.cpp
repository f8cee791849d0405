#include "machine/ceilings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace ridge {
namespace {

constexpr double kInexact = 1.05;       // figures and clocks
constexpr double kUnknownClock = 1.25;  // the most that a clock is believed above the known one

std::string title_of(const ChipDatabase& database, const std::string& source) {
  for (const ChipSource& one : database.sources) {
    if (one.id == source) return one.title;
  }
  return source;
}

std::string percent(double factor) { return fmt::format("{:.0f} %", 100 * (factor - 1)); }

void take_chip(const ChipDatabase& database, const Chip& chip, Ceilings& out) {
  out.chip = chip.name;
  for (const CorePeak& core : chip.per_core) {
    out.compute.push_back({core.dtype, core.flop_per_clock,
                           fmt::format("{:g} FLOP a clock", core.flop_per_clock), 0, 0,
                           title_of(database, core.source)});
  }
  for (const Peak& any : chip.peaks) {
    const bool there =
        std::any_of(out.compute.begin(), out.compute.end(),
                    [&](const Ceilings::Compute& one) { return one.dtype == any.dtype; });
    const auto peak = dense_peak(chip, any.dtype);
    if (there || !peak || peak->announced) continue;
    Ceilings::Compute one{peak->dtype, 0, "", peak->flops, 0, title_of(database, peak->source)};
    if (const auto& f = peak->factors) {
      one.per_clock = f->units * f->flop_per_clock;
      one.units = fmt::format("{:g} {}s x {:g} FLOP a clock", f->units, f->unit, f->flop_per_clock);
      one.clock_hz = f->clock_hz;
    }
    out.compute.push_back(std::move(one));
  }
  if (const auto& memory = chip.bandwidth; memory && !memory->announced) {
    out.bytes_per_s = std::max(memory->bytes_per_s, memory->advertised_bytes_per_s.value_or(0)) *
                      (memory->approximate ? kUnknownClock : 1);
    out.memory_source = title_of(database, memory->source);
  }
  for (const ChipCache& cache : chip.caches) {
    out.cache_bytes = std::max(out.cache_bytes, cache.bytes);
  }
}

void raise(std::optional<double>& most, const Known<double>& value) {
  if (value) most = std::max(most.value_or(0), *value);
}

void take_processor(const Machine& machine, Ceilings& out) {
  const Cpu& cpu = machine.cpu;
  if (cpu.cores) out.cores = *cpu.cores;
  // Threads that a virtual machine shows as one core's may be two cores.
  const bool bare = machine.system.virtual_machine && !*machine.system.virtual_machine;
  if (!bare && cpu.threads) out.cores = std::max(out.cores, *cpu.threads);
  raise(out.maximum_hz, cpu.clocks.maximum_hz);
  if (out.bytes_per_s) {
    *out.bytes_per_s *= static_cast<double>(cpu.sockets ? *cpu.sockets : 1);
    raise(out.bytes_per_s, machine.memory.theoretical_bandwidth_bytes_per_s);
  }
  if (const auto cache = last_level_cache_total_bytes(machine)) {
    out.cache_bytes = std::max(out.cache_bytes, *cache);
  }
}

void take_gpu(const NvidiaDevice& gpu, Ceilings& out) {
  raise(out.maximum_hz, gpu.sm_clock_maximum_hz);
  if (out.bytes_per_s && gpu.memory_clock_maximum_hz && gpu.memory_bus_bits) {
    const double two_a_clock =
        *gpu.memory_clock_maximum_hz * 2 * static_cast<double>(*gpu.memory_bus_bits) / 8;
    out.bytes_per_s = std::max(*out.bytes_per_s, two_a_clock);
  }
}

}  // namespace

std::optional<Ceilings> ceilings_of(const ChipDatabase& database, const Machine& machine,
                                    std::string_view device_name, bool processor) {
  const std::string name = normalized_chip_name(device_name);
  std::vector<DeviceChip> named;
  for (DeviceChip& device : match_machine(database, machine)) {
    if (!device.name.empty() && normalized_chip_name(device.name) == name) {
      named.push_back(std::move(device));
    }
  }
  const auto is_cpu = [](const DeviceChip& device) { return device.device == "cpu"; };
  const auto cpus = std::count_if(named.begin(), named.end(), is_cpu);
  if (cpus > 0 && static_cast<size_t>(cpus) < named.size()) {
    std::erase_if(named, [&](const DeviceChip& device) { return is_cpu(device) != processor; });
  }
  if (named.empty()) return std::nullopt;
  const Chip* chip = named.front().match.chip;
  for (const DeviceChip& device : named) {
    if (!device.match.chip || device.match.chip != chip) return std::nullopt;
  }
  Ceilings out;
  take_chip(database, *chip, out);
  out.processor = is_cpu(named.front());
  if (out.processor) {
    take_processor(machine, out);
    return out;
  }
  for (const NvidiaDevice& gpu : machine.nvidia.devices) {
    // Which of several alike is meant is not told: what any of them may do.
    if (gpu.name && normalized_chip_name(*gpu.name) == name) take_gpu(gpu, out);
  }
  return out;
}

std::optional<Ceiling> compute_ceiling(const Ceilings& ceilings, std::string_view dtype,
                                       int threads, std::optional<double> sampled_hz) {
  const auto own = std::find_if(ceilings.compute.begin(), ceilings.compute.end(),
                                [&](const Ceilings::Compute& one) { return one.dtype == dtype; });
  if (own == ceilings.compute.end()) return std::nullopt;
  const bool highest_known = ceilings.maximum_hz && *ceilings.maximum_hz >= sampled_hz.value_or(0);
  const double allowed = kInexact * (highest_known ? 1 : kUnknownClock);
  const std::string allowance =
      percent(allowed) +
      (highest_known ? " allowed" : " allowed as its highest clock is not known");
  if (own->per_clock == 0) {  // nothing to scale by a clock
    const double most = own->flops * kInexact * kUnknownClock;
    return Ceiling{most, fmt::format("{} published, {} allowed; {}",
                                     show_rate(own->flops, RateUnit::flop_per_s),
                                     percent(kInexact * kUnknownClock), own->source)};
  }
  const double clock =
      std::max({own->clock_hz, ceilings.maximum_hz.value_or(0), sampled_hz.value_or(0)});
  if (!ceilings.processor) {
    return Ceiling{
        own->per_clock * clock * allowed,
        fmt::format("{} x {:.3g} GHz, {}; {}", own->units, clock * 1e-9, allowance, own->source)};
  }
  if (ceilings.cores < 1 || !sampled_hz) return std::nullopt;
  const int64_t cores = threads > 0 ? std::min<int64_t>(threads, ceilings.cores) : ceilings.cores;
  return Ceiling{own->per_clock * static_cast<double>(cores) * clock * allowed,
                 fmt::format("{} core{} x {} x {:.3g} GHz, {}; {}", cores, cores == 1 ? "" : "s",
                             own->units, clock * 1e-9, allowance, own->source)};
}

std::optional<Ceiling> memory_ceiling(const Ceilings& ceilings, double rotated_bytes,
                                      double cache_bytes) {
  if (!ceilings.bytes_per_s) return std::nullopt;
  const double cache = std::max(cache_bytes, static_cast<double>(ceilings.cache_bytes));
  if (!(rotated_bytes > cache)) return std::nullopt;
  const double part = cache / rotated_bytes;
  return Ceiling{*ceilings.bytes_per_s * kInexact / (1 - part),
                 fmt::format("{} of memory, {:.0f} % of the operands in caches, {} allowed; {}",
                             show_rate(*ceilings.bytes_per_s, RateUnit::byte_per_s), 100 * part,
                             percent(kInexact), ceilings.memory_source)};
}

}  // namespace ridge
