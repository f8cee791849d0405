#include "analyze/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "analyze/evidence.h"
#include "base/units.h"
#include "workload/model/cost.h"

namespace ridge::evidence {
namespace {

// Reads so far above, with all of their interval, are none.
constexpr double kAboveMeasured = 1.10, kAbovePublished = 1.05;

// A library may turn weights into these before it multiplies; llama.cpp keeps quantised ones as
// they are, and multiplies 8-bit integers.
std::vector<std::string> products_of(const ModelUse& use) {
  const std::string format = format_name(use);
  if (format.starts_with("f32")) return {"f32"};
  if (format.starts_with("bf16")) return {"bf16", "f32"};
  if (format.starts_with("f16")) return {"f16", "f32"};
  return {"int8", "f16", "f32"};
}

// "q4_k_m", and the label "q4_k-medium" of a file, hold matrices of q4_k.
bool weights_are(const std::string& model_format, const std::string& roof_operation) {
  const size_t space = roof_operation.find(' ');
  return space != std::string::npos && model_format.starts_with(roof_operation.substr(space + 1));
}

double cache_bytes(const Roofline& roofline, const std::string& device, int threads) {
  double bytes = 0;
  for (const CacheLevel& level : roofline.levels) {
    if (level.device == device && level.threads == threads) bytes = level.bytes;  // the last
  }
  return bytes;
}

// Passes through the weights that a row makes at least.
int64_t passes_of(const Row& row) {
  const int64_t micro = micro_batch_of(row.settings);
  if (const auto* decode = std::get_if<Decode>(&row.work)) {
    return decode->tokens * ((decode->use.batch + micro - 1) / micro);
  }
  const int64_t tokens = tokens_of(row.work) * model_use(row.work)->batch;
  return (tokens + micro - 1) / micro;
}

const Roof* read_roof(const Roofline& roofline, const std::string& device, int threads,
                      std::string_view level) {
  return find(roofline, Roof::Kind::memory, device, threads, "read", level);
}

std::string rate(double bytes_per_s) { return show_rate(bytes_per_s, RateUnit::byte_per_s); }

}  // namespace

ProductRoof product_roof(const Roofline& roofline, const Row& row, const std::string& device,
                         int threads) {
  const auto of = [&](std::string_view operation) {
    return find(roofline, Roof::Kind::compute, device, threads, operation);
  };
  const ModelUse& use = *model_use(row.work);
  const std::string format = format_name(use);
  if (row.executed_dtype) {
    if (const Roof* roof = of(*row.executed_dtype)) {
      return {roof, fmt::format("{}, which the worker says they ran in", *row.executed_dtype)};
    }
  }
  const Roof* best = nullptr;
  for (const Roof& roof : roofline.roofs) {
    if (roof.kind != Roof::Kind::compute || roof.device != device || roof.threads != threads) {
      continue;
    }
    if (!weights_are(format, roof.operation)) continue;
    if (!best || roof.rate.value > best->rate.value) best = &roof;
  }
  if (best) return {best, fmt::format("{}: the best measured with such weights", best->operation)};
  const auto candidates = products_of(use);
  for (const std::string& dtype : candidates) {
    const Roof* roof = of(dtype);
    if (!roof) continue;
    const bool quantised = candidates.front() == "int8";
    return {roof,
            quantised
                ? fmt::format("{}, as no product with {} weights was measured: libraries multiply "
                              "them as {}",
                              dtype, format, dtype == "int8" ? "8-bit integers" : dtype)
                : fmt::format(
                      "{}{}", dtype,
                      dtype == candidates.front()
                          ? ""
                          : fmt::format(", as no {} product was measured", candidates.front()))};
  }
  return {nullptr,
          fmt::format(
              "no roof of {} products{}: measure one with --work '{{\"kind\": \"gemm\", \"dtype\": "
              "\"{}\", \"m\": 2048, \"n\": 2048, \"k\": 2048{}}}'",
              fmt::join(candidates, ", "),
              threads ? fmt::format(" with {} thread{}", threads, threads == 1 ? "" : "s") : "",
              candidates.front(),
              threads ? fmt::format(", \"settings\": {{\"threads\": {}}}", threads) : "")};
}

std::optional<Needed> needed_reads(const Roofline& roofline, const Row& row,
                                   const std::string& device, int threads) {
  const double cache = cache_bytes(roofline, device, threads);
  if (!(row.cost.footprint > cache) || !(row.cost.bytes_read > 0)) return std::nullopt;
  Needed out;
  out.spared = std::min(1.0, static_cast<double>(passes_of(row)) * cache / row.cost.bytes_read);
  out.bytes = row.cost.bytes_read * (1 - out.spared);
  if (!(out.bytes > 0)) return std::nullopt;
  out.bytes_per_s = rate_of(out.bytes, time_of(row));
  return out;
}

std::string impossible_decode(const Roofline& roofline, const Row& row, const std::string& device,
                              int threads) {
  const auto* decode = std::get_if<Decode>(&row.work);
  if (!decode) return "";
  const auto needed = needed_reads(roofline, row, device, threads);
  const Roof* roof = read_roof(roofline, device, threads, "memory");
  const auto told = roofline.published_bytes_per_s.find(device);
  const bool published = told != roofline.published_bytes_per_s.end();
  if (!needed || (!roof && !published)) return "";
  const double most = std::max(roof ? kAboveMeasured * roof->rate.interval.hi : 0,
                               published ? kAbovePublished * told->second : 0);
  if (needed->bytes_per_s.interval.lo <= most) return "";
  std::string text = fmt::format(
      "no decode: {} token{} one by one read {} of weights and cache{}, {} in this time; ",
      decode->tokens, decode->tokens == 1 ? "" : "s", show_bytes(std::llround(needed->bytes)),
      needed->spared > kFewWrites ? " beyond what caches may hold" : "",
      rate(needed->bytes_per_s.value));
  if (roof) text += fmt::format("memory was measured to give {}", rate(roof->rate.value));
  if (published) {
    text += fmt::format("{} published to give {}", roof ? ", and is" : "the chip's memory is",
                        rate(told->second));
  }
  const Prefill prompt{decode->use, decode->tokens};
  return text + fmt::format(
                    "; in one pass, as a prefill, they read {}: this is such a figure, or another "
                    "model's",
                    show_bytes(std::llround(cost(prompt, row.settings).bytes_read)));
}

void place_model(const Roofline& roofline, const Row& row, const std::string& device, int threads,
                 Placement& out, std::string& missing) {
  const stats::Estimate time = time_of(row);
  const auto add = [&](Roof::Kind kind, std::string name, const stats::Estimate& floor,
                       const Roof& roof, std::string why) {
    const double share = floor.value / time.value;
    if (!std::isnormal(share)) return;
    stats::Interval range{share, share};
    if (const auto ratio = stats::ratio_interval(floor, time)) range = ratio->interval;
    if (share > kRefuted || range.lo > kSurelyRefuted) return;
    out.limits.push_back(
        {kind, std::move(name), floor.value, share, range, false, roof.from, std::move(why)});
  };
  const auto ns = [](double amount, const stats::Estimate& rate) {
    const auto at = [&](double value) { return amount * 1e9 / value; };
    return stats::Estimate{at(rate.value), {at(rate.interval.hi), at(rate.interval.lo)}};
  };
  const ProductRoof product = product_roof(roofline, row, device, threads);
  if (product.roof) {
    add(Roof::Kind::compute, "compute " + product.roof->operation,
        ns(row.cost.executed_flops, product.roof->rate), *product.roof, product.why);
  } else {
    missing = product.why;
  }
  const auto needed = needed_reads(roofline, row, device, threads);
  const std::string level = needed ? "memory" : level_of(roofline.levels, device, threads, row);
  const Roof* read = level.empty() ? nullptr : read_roof(roofline, device, threads, level);
  if (!read) {
    // A prefill that products bind is placed without it.
    missing = level.empty()
                  ? "how much of its weights lay in which cache is not known"
                  : fmt::format("no roof of read in {}: `ridge run --suite {}` measures it", level,
                                level == "memory" ? "quick" : "caches");
    return;
  }
  std::string name = level + " read";
  if (needed && needed->spared > kFewWrites) {
    name += fmt::format(" ({:.0f} % may lie in caches)", 100 * needed->spared);
  }
  add(Roof::Kind::memory, std::move(name),
      ns(needed ? needed->bytes : row.cost.bytes_read, read->rate), *read, "");
}

}  // namespace ridge::evidence
