#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "measure/plan.h"

namespace ridge {
namespace {

constexpr double kLeastShare = 0.6;     // of an equal slice, however slow other rows are
constexpr double kBaseShare = 0.85;     // of the time; the rest goes to the widest intervals
constexpr double kStepOverhead = 0.02;  // s: requests, reference values, the sidecar
constexpr double kSpawn = 0.15;         // s: starting a worker, and ending it

constexpr double kFirstTouch = 2e9;  // B/s at which a system hands out memory

double bytes_filled(const PlannedRow& row) {
  const Cost c = cost(row.work, row.settings);
  const auto cache = static_cast<double>(row.cache_bytes);
  const bool rotates = row.settings.cache != CacheMode::hot && c.footprint < 16 * cache;
  return rotates ? std::max(2 * c.footprint, 2 * cache + c.footprint) : c.footprint;
}

// Of what the canaries show, on a processor, where the device is one that nothing of is known; else
// of its chip, of which models reach about this much.
constexpr double kOfPeak = 0.4, kOfBandwidth = 0.6;

// Files are the host's to read, whichever device they go to.
constexpr double kDisk = 1e9, kPageCache = 5e9;  // B/s

RoughRates rates_for(const PlannedRow& row, RoughRates rates) {
  if (reads_file(row.work)) {
    rates.byte_per_s = row.settings.cache == CacheMode::cold ? kDisk : kPageCache;
    return rates;
  }
  if (!model_use(row.work) || !row.ceilings || row.ceilings->processor) return rates;
  for (const Ceilings::Compute& one : row.ceilings->compute) {
    if (one.dtype == "f16") rates.flop_per_s = std::max(rates.flop_per_s, kOfPeak * one.flops);
  }
  rates.byte_per_s =
      std::max(rates.byte_per_s, kOfBandwidth * row.ceilings->bytes_per_s.value_or(0));
  return rates;
}

// What a model's rows take beside the ops that are timed: the model is loaded once a process, and
// its cache filled to a depth once a visit. Both beforehand, from rates that are rough.
double model_overhead(const PlannedRow& row, const RoughRates& rates, double visits, bool loads) {
  const ModelUse& use = *model_use(row.work);
  const Cost whole = cost(row.work, row.settings);
  double seconds = visits * (loads ? kSpawn + whole.footprint / rates.fill_byte_per_s : 0);
  if (use.depth > 0) {
    ModelUse before = use;
    before.depth = 0;
    seconds += visits * cost(Prefill{before, use.depth}, {}).model_flops /
               rates_for(row, rates).flop_per_s;
  }
  return seconds + row.op_seconds;  // the first op is checked
}

}  // namespace

std::string model_group(const PlannedRow& row) {
  const ModelUse* use = model_use(row.work);
  if (!use) return "";
  // What loads a model itself needs all the memory that others would leave.
  const bool loads = std::holds_alternative<LoadModel>(row.work);
  return fmt::format("{}|{}|{}|{}|{}{}", row.worker, row.device, use->model.name, format_name(*use),
                     use->file ? use->file->path : "",
                     loads ? fmt::format("|load {}", name(row.settings.cache)) : "");
}

void share_time(Plan& plan, const RoughRates& rates) {
  for (PlannedRow& row : plan.rows) {
    if (row.skip) continue;
    const Cost c = cost(row.work, row.settings);
    const RoughRates own = rates_for(row, rates);
    row.op_seconds =
        std::max(c.model_flops / own.flop_per_s, (c.bytes_read + c.bytes_written) / own.byte_per_s);
  }
  const double rounds = plan.effort.rounds;
  share_round(plan, base_seconds(plan.effort) / rounds);
  plan.overhead_seconds = (rounds + 1) * (kSpawn + plan.canary_seconds);
  std::set<std::string> loaded;
  for (const PlannedRow& row : plan.rows) {
    if (row.skip) continue;
    if (const std::string group = model_group(row); !group.empty()) {
      plan.overhead_seconds +=
          model_overhead(row, rates, row.rounds_of(plan.effort), loaded.insert(group).second);
      continue;
    }
    // Inputs are made once a round for timing, and in the first round once more for the check.
    const double visits = row.rounds_of(plan.effort);
    if (std::holds_alternative<Alloc>(row.work)) {
      plan.overhead_seconds += static_cast<double>(row.memory_bytes) / kFirstTouch;
    }
    plan.overhead_seconds +=
        visits * kStepOverhead + (visits + 0.5) * bytes_filled(row) / rates.fill_byte_per_s;
  }
}

double next_round_seconds(double seconds, double used, int left, int rounds) {
  return std::max((seconds - used) / left, kLeastShare * seconds / rounds);
}

void share_round(Plan& plan, double seconds) {
  std::vector<PlannedRow*> rows;
  for (PlannedRow& row : plan.rows) {
    if (const auto own = own_seconds(row.work)) {
      row.seconds = *own;
    } else if (!row.skip) {
      rows.push_back(&row);
    }
  }
  // The slice s solves sum(max(s, least_i)) = seconds: slow rows take what they must, the others
  // share what is left, but never get next to nothing.
  std::sort(rows.begin(), rows.end(),
            [](const auto* a, const auto* b) { return a->op_seconds > b->op_seconds; });
  const double least =
      kLeastShare * seconds / static_cast<double>(std::max<size_t>(1, rows.size()));
  double left = seconds;
  size_t sharing = rows.size();
  for (PlannedRow* row : rows) {
    const double slice = std::max(least, left / static_cast<double>(sharing));
    row->slice = slice;
    row->seconds = std::max(slice, kLeastOps * row->op_seconds);
    left -= row->seconds;
    --sharing;
  }
}

double base_seconds(const Effort& effort) { return kBaseShare * effort.seconds; }

double Plan::eta_seconds() const {
  double in_rounds = 0, once = 0;
  for (const PlannedRow& row : rows) {
    if (row.skip) continue;
    (row.in_rounds() ? in_rounds : once) += row.seconds * row.rounds_of(effort);
  }
  // What rounds leave of the time goes into further ones.
  if (in_rounds > 0) in_rounds = std::max(in_rounds, effort.seconds);
  return in_rounds + once + overhead_seconds;
}

}  // namespace ridge
