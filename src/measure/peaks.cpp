#include "measure/peaks.h"

#include <fmt/format.h>

#include <map>

namespace ridge {
namespace {

std::string in_dtype(double rate, const std::string& dtype) {
  std::string text = show_rate(rate, RateUnit::flop_per_s);
  const auto known = parse_dtype(dtype);
  if (known && is_integer(*known)) {
    if (const size_t at = text.find("FLOP"); at != text.npos) text.erase(at, 2);  // TOPS
  }
  return text;
}

void refuse(Row& row, std::string reason) {
  row.status = Status::incorrect;
  row.reason = std::move(reason);
  row.add(Flag::above_peak);
  row.rate.value = row.rate.ci_low = row.rate.ci_high = std::nullopt;
  std::erase_if(row.values, [&](const Value& value) { return value.unit == name(row.rate.unit); });
}

}  // namespace

void add_ceilings(Plan& plan, const ChipDatabase& database, const Machine& machine) {
  std::map<std::pair<size_t, std::string>, std::shared_ptr<const Ceilings>> known;
  for (size_t worker = 0; worker < plan.workers.size(); ++worker) {
    const FoundWorker& found = plan.workers[worker];
    for (const auto& device : found.hello.devices) {
      const bool processor = is_processor(found.hello, device);
      auto ceilings = ceilings_of(database, machine, device.name, processor);
      if (ceilings) {
        known[{worker, device.id}] = std::make_shared<const Ceilings>(*std::move(ceilings));
      }
    }
  }
  for (PlannedRow& row : plan.rows) {
    const auto found = known.find({row.worker, row.device});
    if (found != known.end()) row.ceilings = found->second;
  }
}

namespace {

// Telemetry's clocks are the processor's.
std::optional<double> sampled_hz(const Ceilings& ceilings, const Row& row) {
  if (!ceilings.processor || !row.telemetry.clock_max_mhz) return std::nullopt;
  return *row.telemetry.clock_max_mhz * 1e6;
}

// Of whatever dtype the chip is best at.
std::optional<Ceiling> highest_ceiling(const Ceilings& ceilings, const Row& row) {
  std::optional<Ceiling> highest;
  for (const Ceilings::Compute& one : ceilings.compute) {
    const auto most =
        compute_ceiling(ceilings, one.dtype, row.settings.threads, sampled_hz(ceilings, row));
    if (most && (!highest || most->rate > highest->rate)) highest = most;
  }
  return highest;
}

// Quantised weights are multiplied as 8-bit integers, f16 or f32, as the library likes.
bool has_quantised_weights(const Workload& work) {
  const Gemm* gemm = gemm_of(work);
  return gemm && gemm->weights;
}

// Tokens a second by the work and the bytes that each takes. Which dtype a model is multiplied in
// may be anybody's guess, so any of the chip's will do.
void hold_model_against_peak(const PlannedRow& planned, double rate, Row& row) {
  const Ceilings& ceilings = *planned.ceilings;
  const double flops = rate * row.cost.model_flops / row.cost.count;
  const double bytes = rate * row.cost.bytes_read / row.cost.count;
  const auto compute = highest_ceiling(ceilings, row);
  if (compute && flops > compute->rate) {
    return refuse(
        row,
        fmt::format("{} mean {}, above the {} that {} can do: {}", show_rate(rate, row.rate.unit),
                    show_rate(flops, RateUnit::flop_per_s),
                    show_rate(compute->rate, RateUnit::flop_per_s), ceilings.chip, compute->from));
  }
  const auto memory =
      memory_ceiling(ceilings, row.cost.footprint, static_cast<double>(planned.cache_bytes));
  if (memory && bytes > memory->rate) {
    refuse(row,
           fmt::format("{} mean that {} of weights and cache are read, above the {} that {} "
                       "can do: {}",
                       show_rate(rate, row.rate.unit), show_rate(bytes, RateUnit::byte_per_s),
                       show_rate(memory->rate, RateUnit::byte_per_s), ceilings.chip, memory->from));
  }
}

}  // namespace

void hold_against_peak(const PlannedRow& planned, Row& row) {
  if (!planned.ceilings || !row.rate.value) return;
  const Ceilings& ceilings = *planned.ceilings;
  const double rate = row.rate.ci_low.value_or(*row.rate.value);
  if (row.rate.unit == RateUnit::token_per_s) return hold_model_against_peak(planned, rate, row);
  if (row.rate.unit == RateUnit::flop_per_s) {
    const std::string dtype = row.executed_dtype.value_or(dtype_or_operation(row.work));
    const auto most =
        has_quantised_weights(row.work) && !row.executed_dtype
            ? highest_ceiling(ceilings, row)
            : compute_ceiling(ceilings, dtype, row.settings.threads, sampled_hz(ceilings, row));
    if (!most || rate <= most->rate) return;
    refuse(row, fmt::format("{} in {} is above the {} that {} can do: {}", in_dtype(rate, dtype),
                            dtype, in_dtype(most->rate, dtype), ceilings.chip, most->from));
    return;
  }
  const bool from_memory = std::holds_alternative<Stream>(row.work) &&
                           row.settings.cache == CacheMode::cold && !row.has(Flag::cache_not_cold);
  if (!from_memory || row.rate.unit != RateUnit::byte_per_s) return;
  const auto most = memory_ceiling(ceilings, row.cost.footprint * static_cast<double>(row.copies),
                                   static_cast<double>(planned.cache_bytes));
  if (!most || rate <= most->rate) return;
  refuse(row, fmt::format("{} is above the {} that {} can do: {}", show_rate(rate, row.rate.unit),
                          show_rate(most->rate, row.rate.unit), ceilings.chip, most->from));
}

}  // namespace ridge
