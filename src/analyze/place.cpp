#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyze/evidence.h"
#include "analyze/models.h"
#include "analyze/roofline.h"

namespace ridge {
namespace {

using namespace evidence;

void add(Placement& out, Roof::Kind kind, std::string title, const stats::Estimate& floor,
         const stats::Estimate& time, bool is_roof, const std::string& from) {
  const double share = floor.value / time.value;
  if (!std::isnormal(share)) return;  // a cost of nothing, or of more than numbers hold
  stats::Interval range{share, share};
  if (!is_roof) {
    if (const auto ratio = stats::ratio_interval(floor, time)) range = ratio->interval;
    if (share > kRefuted || range.lo > kSurelyRefuted) return;
  }
  out.limits.push_back({kind, std::move(title), floor.value, share, range, is_roof, from});
}

stats::Estimate per(double count, const stats::Estimate& rate) {
  const auto ns = [&](double value) { return count * 1e9 / value; };
  return {ns(rate.value), {ns(rate.interval.hi), ns(rate.interval.lo)}};
}

// Why work of this kind lies under no roof; empty: it does.
std::string without_roof(const Row& row) {
  if (std::holds_alternative<Alloc>(row.work)) return "an allocation has no rate";
  const auto* set = std::get_if<WorkingSet>(&row.work);
  if (set && set->op == WorkingSet::Op::chase) {
    return "a chase waits for each access: it measures latency, which no roof bounds";
  }
  return "";
}

void add_call(const Roofline& roofline, const Run& run, const Row& row, const std::string& device,
              int threads, Placement& out) {
  const auto* dispatch = std::get_if<Dispatch>(&row.work);
  const bool waits = dispatch || row.settings.timing == Timing::isolated;
  const auto roof_of = [&](bool wait) {
    return find(roofline, Roof::Kind::call, device, threads, call_operation(row.settings, wait), "",
                row.worker);
  };
  const Roof* roof = roof_of(waits);
  const Roof* further = dispatch ? roof_of(false) : nullptr;
  if (!roof || (dispatch && !further)) return;
  stats::Estimate floor = per(1, roof->rate);
  bool own = false;
  if (dispatch) {  // the wait once, then each call
    const stats::Estimate rest = per(static_cast<double>(dispatch->ops - 1), further->rate);
    floor.value += rest.value;
    floor.interval.lo += rest.interval.lo;
    floor.interval.hi += rest.interval.hi;
    own = further->from == row.row_key() && further->run == run.header.id;
  }
  add(out, Roof::Kind::call, roof->operation, floor, time_of(row), own, roof->from);
}

void add_file(const Roofline& roofline, const Run& run, const Row& row, Placement& out) {
  const std::string_view cache = name(row.settings.cache);
  const Roof* roof = find(roofline, Roof::Kind::file, "cpu", 0, "read", cache);
  if (!roof) {
    out.refused = fmt::format(
        "no roof of files, page cache {0}: measure one with --work '{{\"kind\": \"load\", "
        "\"bytes\": 1073741824, \"settings\": {{\"cache\": \"{0}\", \"timing\": "
        "\"isolated\"}}}}'",
        cache);
    return;
  }
  add(out, Roof::Kind::file, fmt::format("{} file {}", cache, roof->operation),
      per(row.cost.bytes_read, roof->rate), time_of(row),
      roof->from == row.row_key() && roof->run == run.header.id, roof->from);
  if (out.limits.empty()) {
    out.refused = fmt::format("it is faster than files were read with the page cache {}", cache);
  }
}

}  // namespace

Placement place(const Roofline& roofline, const Run& run, const Row& row) {
  Placement out;
  if (row.status != Status::ok) {
    out.refused = std::string(name(row.status));
    return out;
  }
  if (out.refused = without_roof(row); !out.refused.empty()) return out;
  if (!believable(row)) {
    out.refused = "no rate to be believed";
    return out;
  }
  if (reads_file(row.work)) {
    add_file(roofline, run, row, out);
    return out;
  }
  const std::string device = physical_device(run.header, row.worker, row.device);
  const int threads = threads_of(run.header, device, row.settings);
  const stats::Estimate time = time_of(row);
  std::string missing;
  if (model_use(row.work)) {
    out.refused = impossible_decode(roofline, row, device, threads);
    out.impossible = !out.refused.empty();
    if (out.impossible) return out;
    place_model(roofline, row, device, threads, out, missing);
  } else if (const auto dtype = product_dtype(row)) {
    // Products with quantised weights have a roof of their own.
    const Roof* roof = find(roofline, Roof::Kind::compute, device, threads, operation(row.work));
    if (!roof) roof = find(roofline, Roof::Kind::compute, device, threads, *dtype);
    if (!roof) {
      out.refused = fmt::format(
          "no roof of {} products{}: measure one with --work '{{\"kind\": \"gemm\", \"dtype\": "
          "\"{}\", \"m\": 2048, \"n\": 2048, \"k\": 2048{}}}'",
          *dtype, threads ? fmt::format(" with {} thread{}", threads, threads == 1 ? "" : "s") : "",
          dtype_or_operation(row.work),
          threads ? fmt::format(", \"settings\": {{\"threads\": {}}}", threads) : "");
      return out;
    }
    add(out, Roof::Kind::compute, "compute " + *dtype, per(row.cost.executed_flops, roof->rate),
        time, roof->from == row.row_key() && roof->run == run.header.id, roof->from);
  }
  if (!std::holds_alternative<Dispatch>(row.work) && !model_use(row.work)) {
    if (const auto floor = memory_floor(roofline, run, row, device, threads, missing)) {
      add(out, Roof::Kind::memory, floor->name, floor->ns, time, floor->is_roof, floor->from);
    }
  }
  if (!model_use(row.work)) add_call(roofline, run, row, device, threads, out);
  std::stable_sort(out.limits.begin(), out.limits.end(),
                   [](const Limit& a, const Limit& b) { return a.floor_ns > b.floor_ns; });
  // Without memory's floor "none binds it" would be a guess; that another one binds it would not.
  if (!missing.empty() && !out.bound()) {
    out.limits.clear();
    out.refused = missing;
  } else if (out.limits.empty()) {
    out.refused = std::holds_alternative<Dispatch>(row.work)
                      ? "no roof of calls: measure one with --suite probes --filter dispatch"
                      : "it is faster than what its roofs were measured with";
  }
  return out;
}

}  // namespace ridge
