#include "machine/chips.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <tuple>

#include "machine/files.h"

namespace ridge {
namespace {

constexpr size_t kMostCandidates = 4;

bool digit(char c) { return c >= '0' && c <= '9'; }

// "96-core": the number of cores inside a name.
bool counts_cores(std::string_view word) {
  const size_t dash = word.find('-');
  return dash != 0 && dash != word.npos && word.substr(dash) == "-core" &&
         std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(dash), digit);
}

std::vector<std::string> parts(std::string_view normalized) {
  std::string text(normalized);
  std::replace(text.begin(), text.end(), '-', ' ');
  std::vector<std::string> out;
  for (const auto word : machine::words(text)) out.emplace_back(word);
  return out;
}

// Levenshtein's distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, changed});
    }
  }
  return row[b.size()];
}

// The chips that share the most words with a name, makers' names not counted, nearest first.
std::vector<std::string> nearest(const ChipDatabase& database, const ChipQuery& query) {
  const std::string name = normalized_chip_name(query.name).substr(0, 100);
  const auto words = parts(name);
  const auto has = [&](const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  std::string maker;  // whose name stands in it
  for (const Chip& chip : database.chips) {
    const auto vendor = normalized_chip_name(chip.vendor);
    if (!vendor.empty() && has(vendor)) maker = chip.vendor;
  }
  std::vector<std::tuple<int, size_t, size_t>> found;  // words not shared, distance, which
  for (size_t i = 0; i < database.chips.size(); ++i) {
    const Chip& chip = database.chips[i];
    if (query.kind && *query.kind != chip.kind) continue;
    if (!maker.empty() && maker != chip.vendor) continue;
    int shared = 0;
    size_t least = std::string::npos;
    for (const ChipModel& model : chip.models) {
      const std::string own = normalized_chip_name(model.name);
      int here = 0;
      for (const std::string& word : parts(own)) {
        here += word != normalized_chip_name(chip.vendor) && has(word) ? 1 : 0;
      }
      shared = std::max(shared, here);
      least = std::min(least, distance(name, own));
    }
    if (shared > 0) found.emplace_back(-shared, least, i);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (const auto& [unshared, far, index] : found) {
    if (unshared != std::get<0>(found.front()) || out.size() == kMostCandidates) break;
    out.push_back(database.chips[index].name);
  }
  return out;
}

// Whether the counts agree. A virtual machine may show a part of its processor.
bool counts_agree(const Chip& chip, const ChipModel& model, const ChipQuery& query) {
  if (chip.kind == ChipKind::apple && !(model.cores && query.cores)) return false;
  if (!model.cores || !query.cores) return true;
  if (chip.kind == ChipKind::cpu && query.virtual_machine) return *query.cores <= *model.cores;
  return *query.cores == *model.cores;
}

}  // namespace

std::string normalized_chip_name(std::string_view name) {
  std::string text(name.substr(0, name.find('@')));
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const std::string_view sign : {"(r)", "(tm)", "(c)", "\u00ae", "\u2122"}) {
    for (size_t at = 0; (at = text.find(sign, at)) != text.npos;)
      text.replace(at, sign.size(), " ");
  }
  std::string out;
  for (const std::string_view word : machine::words(text)) {
    if (word == "nvidia" || word == "processor" || word == "cpu" || counts_cores(word)) continue;
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

ChipMatch match(const ChipDatabase& database, const ChipQuery& query) {
  ChipMatch out;
  const std::string name = normalized_chip_name(query.name);
  std::vector<const Chip*> fit, named;
  for (const Chip& chip : database.chips) {
    if (query.kind && *query.kind != chip.kind) continue;
    for (const ChipModel& model : chip.models) {
      if (normalized_chip_name(model.name) != name) continue;
      named.push_back(&chip);
      if (counts_agree(chip, model, query)) fit.push_back(&chip);
    }
  }
  if (fit.size() == 1) {
    out.chip = fit.front();
    return out;
  }
  if (named.empty()) {
    out.reason = fmt::format("the chip database has no '{}'", query.name);
    out.candidates = nearest(database, query);
    return out;
  }
  out.reason = query.cores ? fmt::format("the chip database has no '{}' of {} cores", query.name,
                                         *query.cores)
                           : fmt::format(
                                 "'{}' is told apart by its cores, and their count is not "
                                 "known: {}",
                                 query.name, query.cores.reason);
  for (const Chip* chip : named) {
    const bool there =
        std::find(out.candidates.begin(), out.candidates.end(), chip->name) != out.candidates.end();
    if (!there && out.candidates.size() < kMostCandidates) out.candidates.push_back(chip->name);
  }
  return out;
}

std::vector<DeviceChip> match_machine(const ChipDatabase& database, const Machine& machine) {
  std::vector<DeviceChip> out;
  const auto add = [&](const std::string& device, const Known<std::string>& name, ChipQuery query) {
    if (!name) {
      out.push_back({device, "", {nullptr, "its name is not known: " + name.reason, {}}});
      return;
    }
    query.name = *name;
    out.push_back({device, *name, match(database, query)});
  };
  ChipQuery cpu;
  cpu.kind = ChipKind::cpu;
  cpu.virtual_machine = machine.system.virtual_machine && *machine.system.virtual_machine;
  cpu.cores = machine.cpu.cores;
  const int64_t sockets = machine.cpu.sockets ? *machine.cpu.sockets : 1;
  if (cpu.cores && sockets > 1) cpu.cores = *cpu.cores / sockets;
  add("cpu", machine.cpu.model, cpu);
  for (const NvidiaDevice& device : machine.nvidia.devices) {
    ChipQuery gpu;
    gpu.kind = ChipKind::accelerator;
    gpu.cores = device.multiprocessors;
    add(fmt::format("nvidia:{}", device.index), device.name, gpu);
  }
  if (machine.apple_gpu.name) {
    ChipQuery gpu;
    gpu.kind = ChipKind::apple;
    gpu.cores = machine.apple_gpu.cores;
    add("apple", machine.apple_gpu.name, gpu);
  }
  return out;
}

Known<Peak> dense_peak(const Chip& chip, std::string_view dtype) {
  const Peak* best = nullptr;
  for (const Peak& peak : chip.peaks) {
    if (peak.dtype != dtype || peak.sparsity != Sparsity::dense) continue;
    if (!best || peak.flops > best->flops) best = &peak;
  }
  if (best) return *best;
  if (chip.kind == ChipKind::cpu) {
    return Known<Peak>::unknown("a processor's peak takes a number of cores and a clock");
  }
  if (!chip.peaks_reason.empty()) return Known<Peak>::unknown(chip.peaks_reason);
  return Known<Peak>::unknown(
      fmt::format("the chip database has no dense {} figure of {}", dtype, chip.name));
}

Known<double> dense_peak(const Chip& chip, std::string_view dtype, int64_t cores, double clock_hz) {
  double best = 0;
  for (const CorePeak& core : chip.per_core) {
    if (core.dtype == dtype) best = std::max(best, core.flop_per_clock);
  }
  if (best == 0) {
    return Known<double>::unknown(
        fmt::format("the chip database has no {} figure of a core of {}", dtype, chip.name));
  }
  if (cores < 1 || !(clock_hz > 0)) return Known<double>::unknown("no cores or no clock");
  return best * static_cast<double>(cores) * clock_hz;
}

Known<double> memory_bandwidth(const Chip& chip) {
  if (!chip.bandwidth) return Known<double>::unknown(chip.bandwidth.reason);
  return chip.bandwidth->bytes_per_s;
}

}  // namespace ridge
