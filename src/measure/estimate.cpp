#include <algorithm>
#include <cmath>

#include "measure/plan.h"

namespace ridge {
namespace {

constexpr double kLeastOps = 3;         // a round holds at least so many
constexpr double kLeastSlice = 0.12;    // s
constexpr double kBaseShare = 0.85;     // of the time; the rest goes to the widest intervals
constexpr double kStepOverhead = 0.02;  // s: requests, reference values, the sidecar
constexpr double kSpawn = 0.15;         // s: starting a worker, and ending it

double bytes_filled(const PlannedRow& row) {
  const Cost c = cost(row.work, row.settings);
  const auto cache = static_cast<double>(row.cache_bytes);
  const bool rotates = row.settings.cache != CacheMode::hot && c.footprint < 16 * cache;
  return rotates ? std::max(2 * c.footprint, 2 * cache + c.footprint) : c.footprint;
}

}  // namespace

void share_time(Plan& plan, const RoughRates& rates) {
  std::vector<PlannedRow*> rows;
  for (PlannedRow& row : plan.rows) {
    if (row.skip) continue;
    const Cost c = cost(row.work, row.settings);
    row.op_seconds = std::max(c.model_flops / rates.flop_per_s,
                              (c.bytes_read + c.bytes_written) / rates.byte_per_s);
    rows.push_back(&row);
  }
  const double rounds = plan.effort.rounds;
  const double available = kBaseShare * plan.effort.seconds / rounds;
  // The slice s solves sum(max(s, least_i)) = available: slow rows take what they must, the others
  // share what is left.
  std::sort(rows.begin(), rows.end(),
            [](const auto* a, const auto* b) { return a->op_seconds > b->op_seconds; });
  double left = available;
  size_t sharing = rows.size();
  for (PlannedRow* row : rows) {
    const double slice = std::max(kLeastSlice, left / static_cast<double>(sharing));
    row->seconds = std::max(slice, kLeastOps * row->op_seconds);
    left -= row->seconds;
    --sharing;
  }
  plan.overhead_seconds = 0;
  for (const PlannedRow* row : rows) {
    // Inputs are made once a round for timing, and in the first round once more for the check.
    plan.overhead_seconds +=
        rounds * kStepOverhead + (rounds + 0.5) * bytes_filled(*row) / rates.fill_byte_per_s;
  }
  plan.overhead_seconds += (rounds + 1) * (kSpawn + plan.canary_seconds);
}

double Plan::eta_seconds() const {
  double timed = 0;
  for (const PlannedRow& row : rows) timed += row.skip ? 0 : row.seconds * effort.rounds;
  return std::max(timed, effort.seconds) * (timed > 0 ? 1 : 0) + overhead_seconds;
}

}  // namespace ridge
