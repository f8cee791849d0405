#include "analyze/roofline.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <tuple>

#include "analyze/evidence.h"
#include "analyze/series.h"
#include "machine/processor.h"

namespace ridge {
namespace {

using namespace evidence;

constexpr double kFileOfCaches = 8;    // times the last cache: a file that shows reading
constexpr double kLeastFile = 0x1p26;  // where caches are not known
// FLOP for each byte that a product must have to show what its dtype can do. Below it memory binds
// it on nearly any machine: a decode product (1 FLOP a byte) is no roof of anything's compute.
constexpr double kShowsCompute = 32;

// Puts the roof in where none of its sort is as high. `row` of `run` is where it comes from.
void raise(std::vector<Roof>& roofs, Roof roof, const Run& run, const Row& row) {
  if (!std::isnormal(roof.rate.value)) return;
  auto same = std::find_if(roofs.begin(), roofs.end(), [&](const Roof& other) {
    return other.kind == roof.kind && other.device == roof.device &&
           other.threads == roof.threads && other.operation == roof.operation &&
           other.level == roof.level && other.worker == roof.worker;
  });
  if (same != roofs.end() && same->rate.value >= roof.rate.value) return;
  roof.from = row.row_key();
  roof.run = run.header.id;
  if (same == roofs.end()) same = roofs.emplace(roofs.end());
  *same = std::move(roof);
}

void add_memory(const Run& run, Roofline& out) {
  for (const Row& row : run.rows) {
    if (!believable(row)) continue;
    const Traffic traffic = least_traffic(row);
    auto op = memory_operation(row);
    // A product that reads nearly only shows how fast memory is read. In a cache it proves nothing:
    // its operands may come from a nearer one.
    const bool product = product_dtype(row).has_value() && shows_roofs(row);
    if (product && traffic.reads_only() && row.settings.cache == CacheMode::cold) op = "read";
    if (!op) continue;
    const std::string device = physical_device(run.header, row.worker, row.device);
    const int threads = threads_of(run.header, device, row.settings);
    const std::string level = level_shown(out.levels, device, threads, row);
    if (level.empty()) continue;
    raise(out.roofs,
          {Roof::Kind::memory, device, threads, *op, level, rate_of(traffic.bytes(), time_of(row)),
           "", "", ""},
          run, row);
  }
}

// A level nearer to the cores is at least as fast as one further out. Where rows show less (ops so
// short that starting the threads takes their time), it has the rate of the further one.
void raise_nearer_levels(Roofline& out) {
  std::map<std::tuple<std::string, int, std::string>, const Roof*> outer;
  const auto lift = [&](Roof& roof) {
    const Roof*& far = outer[{roof.device, roof.threads, roof.operation}];
    if (far && far->rate.value > roof.rate.value) {
      roof.rate = far->rate;
      roof.from = far->from;
      roof.run = far->run;
    }
    far = &roof;
  };
  for (Roof& roof : out.roofs) {
    if (roof.kind == Roof::Kind::memory && roof.level == "memory") lift(roof);
  }
  for (auto level = out.levels.rbegin(); level != out.levels.rend(); ++level) {
    for (Roof& roof : out.roofs) {
      if (roof.kind == Roof::Kind::memory && roof.level == level->name &&
          roof.device == level->device && roof.threads == level->threads) {
        lift(roof);
      }
    }
  }
}

// A file that the processor's caches hold is copied faster than any that is worth loading.
void add_files(const Run& run, Roofline& out) {
  double cache = kLeastFile / kFileOfCaches;
  for (const CacheLevel& level : out.levels) {
    if (level.device == "cpu") cache = std::max(cache, level.bytes);
  }
  for (const Row& row : run.rows) {
    const auto* load = std::get_if<Load>(&row.work);
    if (!load || !believable(row)) continue;
    if (static_cast<double>(load->bytes) < kFileOfCaches * cache) continue;
    raise(out.roofs,
          {Roof::Kind::file, "cpu", 0, "read", std::string(name(row.settings.cache)),
           rate_of(static_cast<double>(load->bytes), time_of(row)), "", "", ""},
          run, row);
  }
}

stats::Estimate calls_a_second(double ns, double low, double high) {
  if (!(low > 0 && low <= ns && ns <= high)) low = high = ns;
  return rate_of(1, {ns, {low, high}});
}

// From the line through all numbers of calls; where there is none, from the best rows.
void add_calls(const Run& run, Roofline& out) {
  const auto costs = call_costs(run.rows);
  for (const Row& row : run.rows) {
    const auto* work = std::get_if<Dispatch>(&row.work);
    if (!work || !believable(row)) continue;
    const std::string device = physical_device(run.header, row.worker, row.device);
    Roof roof{
        Roof::Kind::call, device, threads_of(run.header, device, row.settings), "", "", {}, "", "",
        row.worker};
    const auto cost = std::find_if(costs.begin(), costs.end(), [&](const CallCost& one) {
      return one.worker == row.worker && one.device == row.device &&
             one.settings == settings_key(row.settings);
    });
    const auto calls = static_cast<double>(work->ops);
    if (cost != costs.end() && cost->line.verdict == stats::LineVerdict::fits && cost->line.b > 0) {
      if (calls != cost->calls.back()) continue;  // one row stands for the line
      const stats::Line& line = cost->line;
      const auto a = line.a_interval.value_or(stats::Interval{line.a, line.a});
      const auto b = line.b_interval.value_or(stats::Interval{line.b, line.b});
      roof.operation = call_operation(row.settings, false);
      roof.rate = calls_a_second(line.b, b.lo, b.hi);
      raise(out.roofs, roof, run, row);
      roof.operation = call_operation(row.settings, true);
      const double submit = std::max(0.0, line.a);
      roof.rate = calls_a_second(submit + line.b, std::max(0.0, a.lo) + b.lo,
                                 std::max(submit, a.hi) + b.hi);
      raise(out.roofs, roof, run, row);
      continue;
    }
    const stats::Estimate time = time_of(row);
    roof.rate = rate_of(calls, time);
    roof.operation = call_operation(row.settings, false);
    raise(out.roofs, roof, run, row);
    if (work->ops != 1) continue;
    roof.operation = call_operation(row.settings, true);
    raise(out.roofs, std::move(roof), run, row);
  }
}

void add_compute(const std::vector<const Run*>& runs, Roofline& out) {
  struct Best {
    Roof roof;
    bool shown = false;  // by a product that could show it
  };
  std::map<std::tuple<std::string, int, std::string>, Best> best;
  for (const Run* run : runs) {
    for (const Row& row : run->rows) {
      auto dtype = product_dtype(row);
      if (!dtype || !shows_roofs(row) || !believable(row)) continue;
      // Quantised weights are multiplied in whatever way the library likes: "f32 q8_0".
      const auto* gemm = std::get_if<Gemm>(&row.work);
      if (gemm && gemm->weights) dtype = operation(row.work);
      const std::string device = physical_device(run->header, row.worker, row.device);
      const int threads = threads_of(run->header, device, row.settings);
      const stats::Estimate time = time_of(row);
      stats::Estimate rate = rate_of(row.cost.executed_flops, time);
      for (const Value& value : row.values) {  // of `sustained`: before heat had its say
        const double executed =
            value.value * row.cost.executed_flops / std::max(1.0, row.cost.model_flops);
        if (value.name == "burst" && executed > rate.value) rate = {executed, {executed, executed}};
      }
      Best& so_far = best[{device, threads, *dtype}];
      if (!so_far.shown && row.cost.executed_flops >= kShowsCompute * least_traffic(row).bytes()) {
        std::string missing;
        const auto floor = memory_floor(out, *run, row, device, threads, missing);
        so_far.shown = !floor || floor->ns.value < kBoundFrom * time.value;
      }
      if (std::isnormal(rate.value) && rate.value > so_far.roof.rate.value) {
        so_far.roof = {Roof::Kind::compute, device,         threads, *dtype, "", rate,
                       row.row_key(),       run->header.id, ""};
      }
    }
  }
  for (auto& [key, found] : best) {
    if (found.shown && found.roof.rate.value > 0) out.roofs.push_back(std::move(found.roof));
  }
}

const Json* member(const Json* json, std::string_view key) { return json ? json->find(key) : json; }

}  // namespace

std::string_view name(Roof::Kind kind) {
  switch (kind) {
    case Roof::Kind::compute: return "compute";
    case Roof::Kind::memory: return "memory";
    case Roof::Kind::call: return "call";
    case Roof::Kind::file: return "file";
  }
  throw std::logic_error("no such kind of roof");
}

RateUnit unit_of(const Roof& roof) {
  switch (roof.kind) {
    case Roof::Kind::compute: return RateUnit::flop_per_s;
    case Roof::Kind::memory:
    case Roof::Kind::file: return RateUnit::byte_per_s;
    case Roof::Kind::call: return RateUnit::call_per_s;
  }
  throw std::logic_error("no such kind of roof");
}

std::string physical_device(const Header& header, const std::string& worker,
                            const std::string& device) {
  if (names_processor(worker, device, "")) return "cpu";
  std::string title;
  if (header.workers.is_array()) {
    for (const Json& one : header.workers.as_array()) {
      const Json *named = one.find("worker"), *devices = one.find("devices");
      if (!named || !named->is_string() || named->as_string() != worker) continue;
      if (!devices || !devices->is_array()) continue;
      for (const Json& entry : devices->as_array()) {
        const Json *id = entry.find("id"), *text = entry.find("name");
        if (id && id->is_string() && id->as_string() == device && text && text->is_string()) {
          title = text->as_string();
        }
      }
    }
  }
  const Json* model = member(header.machine.find("cpu"), "model");
  const bool processor = model && model->is_string() && model->as_string() == title;
  if (processor || names_processor(worker, device, title)) return "cpu";
  return title.empty() ? worker + ":" + device : title;
}

const Roof* find(const Roofline& roofline, Roof::Kind kind, std::string_view device, int threads,
                 std::string_view operation, std::string_view level, std::string_view worker) {
  for (const Roof& roof : roofline.roofs) {
    if (roof.kind == kind && roof.device == device && roof.threads == threads &&
        roof.operation == operation && roof.level == level && roof.worker == worker) {
      return &roof;
    }
  }
  return nullptr;
}

Roofline roofline(const std::vector<const Run*>& runs) {
  Roofline out;
  for (const Run* run : runs) add_levels(*run, out.levels);
  for (const Run* run : runs) add_memory(*run, out);
  raise_nearer_levels(out);
  for (const Run* run : runs) add_calls(*run, out);
  for (const Run* run : runs) add_files(*run, out);
  add_compute(runs, out);
  return out;
}

}  // namespace ridge
