#include "analyze/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analyze/series.h"

namespace ridge::evidence {
namespace {

// Of a level's size: below it, and this far above the one before, a set lies well inside.
constexpr double kWithin = 0.75;
constexpr double kAbove = 1.5;
constexpr double kAgrees = 1.5;  // a cliff within this factor of a cache's size is that cache

// What a file may claim of a machine: more is a mistake, and would overflow.
constexpr int64_t kMostBytes = int64_t{1} << 40, kMostCount = 1 << 20;

bool usable(double value) { return std::isnormal(value) && value > 0; }

int64_t integer(const Json* object, std::string_view key) {
  const Json* value = object ? object->find(key) : nullptr;
  return value && value->is_int() ? value->as_int() : 0;
}

int64_t cores_of(const Header& header) {
  return std::clamp<int64_t>(integer(header.machine.find("cpu"), "cores"), 1, kMostCount);
}

// Levels of a processor as the system tells them, for so many threads, from the smallest on.
std::vector<CacheLevel> told(const Header& header, int threads) {
  std::vector<CacheLevel> out;
  const Json* cpu = header.machine.find("cpu");
  const Json* caches = cpu ? cpu->find("caches") : nullptr;
  if (!caches || !caches->is_array()) return out;
  const int64_t cores = cores_of(header);
  for (const Json& cache : caches->as_array()) {
    const Json* type = cache.find("type");
    const int64_t level = integer(&cache, "level"), bytes = integer(&cache, "bytes");
    if (level < 1 || bytes < 1 || bytes > kMostBytes) continue;
    if (type && type->is_string() && type->as_string() == "instruction") continue;
    const int64_t count = std::clamp<int64_t>(integer(&cache, "count"), 1, kMostCount);
    // As many instances as so many cores need at least.
    const int64_t used =
        threads == 0 ? count : std::clamp<int64_t>((threads * count + cores - 1) / cores, 1, count);
    out.push_back({"cpu", threads, fmt::format("L{}", level),
                   static_cast<double>(bytes) * static_cast<double>(used), false});
  }
  std::sort(out.begin(), out.end(),
            [](const CacheLevel& a, const CacheLevel& b) { return a.bytes < b.bytes; });
  return out;
}

const CacheLevel* last_of(const std::vector<CacheLevel>& levels, const std::string& device,
                          int threads) {
  const CacheLevel* last = nullptr;
  for (const CacheLevel& level : levels) {
    if (level.device == device && level.threads == threads) last = &level;
  }
  return last;
}

std::string level_within(const std::vector<CacheLevel>& levels, const std::string& device,
                         int threads, const Row& row, double above) {
  if (row.has(Flag::cache_not_cold)) return "";
  if (row.settings.cache == CacheMode::cold) return "memory";
  if (row.settings.cache != CacheMode::hot || !usable(row.cost.footprint)) return "";
  const CacheLevel* last = last_of(levels, device, threads);
  if (!last) return "";
  if (row.cost.footprint >= kFarBeyond * last->bytes) return "memory";
  double below = 0;
  for (const CacheLevel& level : levels) {
    if (level.device != device || level.threads != threads) continue;
    if (row.cost.footprint <= level.bytes) {
      // At its upper edge, parts of the set lie further out: others use a cache, too.
      const bool inside =
          row.cost.footprint > below * above && row.cost.footprint <= level.bytes * kWithin;
      return inside ? level.name : "";
    }
    below = level.bytes;
  }
  return "";
}

}  // namespace

bool believable(const Row& row) {
  if (row.status != Status::ok || !row.rate.value || !row.time.median_ns) return false;
  if (!usable(*row.rate.value) || !usable(*row.time.median_ns)) return false;
  for (const Flag flag :
       {Flag::incorrect, Flag::above_peak, Flag::zero_fill, Flag::timer_limited}) {
    if (row.has(flag)) return false;
  }
  return true;
}

std::optional<std::string> product_dtype(const Row& row) {
  const bool product =
      std::holds_alternative<Gemm>(row.work) || std::holds_alternative<Attention>(row.work) ||
      std::holds_alternative<ConvStack>(row.work) || std::holds_alternative<Sustained>(row.work);
  if (!product || !usable(row.cost.executed_flops)) return std::nullopt;
  return row.executed_dtype.value_or(dtype_or_operation(row.work));
}

bool shows_roofs(const Row& row) { return !std::holds_alternative<Attention>(row.work); }

std::optional<std::string> memory_operation(const Row& row) {
  if (const auto* set = std::get_if<WorkingSet>(&row.work)) {
    if (set->op == WorkingSet::Op::chase) return std::nullopt;
  } else if (!std::holds_alternative<Stream>(row.work)) {
    return std::nullopt;
  }
  return operation(row.work);
}

Traffic least_traffic(const Row& row) {
  Traffic traffic{row.cost.bytes_read, row.cost.bytes_written};
  if (std::holds_alternative<Attention>(row.work)) {
    const Cost tensors_once = cost(row.work, {});
    return {tensors_once.bytes_read, tensors_once.bytes_written};
  }
  if (std::holds_alternative<ConvStack>(row.work)) {
    traffic = {};
    for (const TensorSpec& tensor : tensors(row.work)) {
      const auto bytes = static_cast<double>(tensor.bytes());
      (tensor.role == TensorSpec::Role::output ? traffic.written : traffic.read) += bytes;
    }
  }
  return traffic;
}

stats::Estimate time_of(const Row& row) {
  const double ns = row.time.median_ns.value_or(0);
  const double low = row.time.ci_low_ns.value_or(0), high = row.time.ci_high_ns.value_or(0);
  if (usable(low) && low <= ns && ns <= high && usable(high)) return {ns, {low, high}};
  return {ns, {ns, ns}};
}

stats::Estimate rate_of(double work, const stats::Estimate& time_ns) {
  const auto rate = [&](double ns) { return work * 1e9 / ns; };
  return {rate(time_ns.value), {rate(time_ns.interval.hi), rate(time_ns.interval.lo)}};
}

int threads_of(const Header& header, const std::string& device, const Settings& settings) {
  const bool all = settings.threads == integer(header.machine.find("cpu"), "cores");
  return device == "cpu" && all ? 0 : settings.threads;
}

std::string level_of(const std::vector<CacheLevel>& levels, const std::string& device, int threads,
                     const Row& row) {
  return level_within(levels, device, threads, row, 0);
}

std::string level_shown(const std::vector<CacheLevel>& levels, const std::string& device,
                        int threads, const Row& row) {
  return level_within(levels, device, threads, row, kAbove);
}

void add_levels(const Run& run, std::vector<CacheLevel>& levels) {
  std::set<std::pair<std::string, int>> used;
  for (const Row& row : run.rows) {
    const std::string device = physical_device(run.header, row.worker, row.device);
    used.emplace(device, threads_of(run.header, device, row.settings));
  }
  for (const auto& [device, threads] : used) {
    if (last_of(levels, device, threads)) continue;
    if (device == "cpu") {
      for (CacheLevel& level : told(run.header, threads)) levels.push_back(std::move(level));
      continue;
    }
    // Of a device that is no processor the worker tells the last level.
    if (!run.header.workers.is_array()) continue;
    for (const Json& worker : run.header.workers.as_array()) {
      const Json* devices = worker.find("devices");
      if (!devices || !devices->is_array() || last_of(levels, device, threads)) continue;
      for (const Json& one : devices->as_array()) {
        const Json* title = one.find("name");
        const int64_t bytes = integer(&one, "cache_bytes");
        if (!title || !title->is_string() || title->as_string() != device || bytes < 1 ||
            bytes > kMostBytes) {
          continue;
        }
        levels.push_back({device, threads, "L2", static_cast<double>(bytes), false});
        break;
      }
    }
  }
  // What a read in order shows is preferred to what the system says: a share of a cache that others
  // use is smaller.
  for (const CacheCurve& curve : cache_curves(run.rows)) {
    if (curve.op != WorkingSet::Op::read || !curve.cliffs) continue;
    const auto row = std::find_if(run.rows.begin(), run.rows.end(), [&](const Row& one) {
      return std::holds_alternative<WorkingSet>(one.work) && one.worker == curve.worker &&
             one.device == curve.device && settings_key(one.settings) == curve.settings;
    });
    if (row == run.rows.end()) continue;
    const std::string device = physical_device(run.header, row->worker, row->device);
    const int threads = threads_of(run.header, device, row->settings);
    for (CacheLevel& level : levels) {
      if (level.device != device || level.threads != threads || level.measured) continue;
      for (const stats::Cliff& cliff : curve.cliffs->cliffs) {
        if (std::fabs(std::log(cliff.capacity.value / level.bytes)) > std::log(kAgrees)) continue;
        level.bytes = cliff.capacity.value;
        level.measured = true;
        break;
      }
    }
  }
}

std::string call_operation(const Settings& settings, bool waits) {
  return fmt::format("{}call{}", settings.graph ? "graph " : "", waits ? " and wait" : "");
}

std::optional<Floor> memory_floor(const Roofline& roofline, const Run& run, const Row& row,
                                  const std::string& device, int threads, std::string& missing) {
  const std::string level = level_of(roofline.levels, device, threads, row);
  if (level.empty()) {
    missing = "how much of its operands lay in which cache is not known";
    return std::nullopt;
  }
  const auto need = [&](std::string_view op) -> const Roof* {
    const Roof* roof = find(roofline, Roof::Kind::memory, device, threads, op, level);
    if (roof) return roof;
    int64_t bytes = int64_t{256} << 20;
    std::string settings;
    if (level != "memory") {
      // Some way inside the level, as level_shown() wants it.
      double below = 0;
      for (const CacheLevel& one : roofline.levels) {
        if (one.device != device || one.threads != threads) continue;
        if (one.name == level) {
          bytes = std::max<int64_t>(1, std::llround(std::max(below * 2, one.bytes * 0.5) /
                                                    (op == "triad"  ? 3
                                                     : op == "copy" ? 2
                                                                    : 1) /
                                                    4096)) *
                  4096;
        }
        below = one.bytes;
      }
      settings = R"("cache": "hot")";
    }
    if (threads != 0) {
      settings += fmt::format(R"({}"threads": {})", settings.empty() ? "" : ", ", threads);
    }
    missing = fmt::format(
        R"(no roof of {} in {}{}: measure one with --work '{{"kind": "stream", "op": "{}", "bytes": {}{}}}')",
        op, level,
        threads ? fmt::format(" with {} thread{}", threads, threads == 1 ? "" : "s") : "", op,
        bytes, settings.empty() ? "" : fmt::format(R"(, "settings": {{{}}})", settings));
    return nullptr;
  };
  const auto own = [&](const Roof& roof) {
    return roof.run == run.header.id && roof.from == row.row_key();
  };
  const auto ns = [](double bytes, const Roof& roof) {
    const auto at = [&](double rate) { return bytes * 1e9 / rate; };
    return stats::Estimate{at(roof.rate.value),
                           {at(roof.rate.interval.hi), at(roof.rate.interval.lo)}};
  };
  const Traffic traffic = least_traffic(row);
  if (const auto op = memory_operation(row)) {
    const Roof* roof = need(*op);
    if (!roof) return std::nullopt;
    return Floor{level + " " + *op, ns(traffic.bytes(), *roof), own(*roof), roof->from};
  }
  if (!usable(traffic.read)) {
    missing = "it reads nothing that is known";
    return std::nullopt;
  }
  const Roof* read = need("read");
  if (!read) return std::nullopt;
  if (traffic.reads_only()) {
    return Floor{level + " read", ns(traffic.bytes(), *read), own(*read), read->from};
  }
  const Roof* write = need("write");
  if (!write) return std::nullopt;
  const stats::Estimate in = ns(traffic.read, *read), out = ns(traffic.written, *write);
  return Floor{
      level + " read + write",
      {in.value + out.value, {in.interval.lo + out.interval.lo, in.interval.hi + out.interval.hi}},
      false,
      read->from};
}

}  // namespace ridge::evidence
