#include "analyze/advice.h"

#include <fmt/format.h>

#include <algorithm>

#include "analyze/evidence.h"
#include "base/units.h"

namespace ridge {
namespace {

using namespace evidence;

constexpr int64_t kFewRows = 8;        // as in decoding: hardly more than a matrix times a vector
constexpr double kWorthSaying = 1.05;  // a gain below this may be noise
constexpr double kWorthWeights = 1.2;  // of bytes: not that of a format and its own mixture
constexpr int64_t kMostSequences = 4096;

std::string work_on(const std::string& device, const Row& row) {
  // Stores that bypass the caches do the same work.
  if (const auto* stream = std::get_if<Stream>(&row.work)) {
    Stream plain = *stream;
    plain.nontemporal = false;
    return device + "|" + work_key(plain);
  }
  return device + "|" + row.key();
}

// Rows of the product's left side: more of them use the same weights again.
int64_t batch_of(const Row& row) {
  const Gemm* gemm = gemm_of(row.work);
  return gemm ? gemm->m : 0;
}

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

Adviser::Adviser(const Roofline& roofline,
                 const std::vector<std::pair<const Run*, const Row*>>& rows)
    : roofline_(roofline) {
  for (const auto& [run, row] : rows) {
    if (!believable(*row)) continue;
    const std::string device = physical_device(run->header, row->worker, row->device);
    same_work_[work_on(device, *row)].push_back({run, row});
  }
}

// The fastest other row of the same work under the same cache mode.
std::string Adviser::faster_way(const Run& run, const Row& row, const std::string& device) const {
  const auto at = same_work_.find(work_on(device, row));
  if (at == same_work_.end()) return "";
  const Other* best = nullptr;
  for (const Other& other : at->second) {
    if (other.row->settings.cache != row.settings.cache) continue;
    if (!best || *other.row->time.median_ns < *best->row->time.median_ns) best = &other;
  }
  if (!best || (best->row == &row && best->run == &run)) return "";
  const double gain = *row.time.median_ns / *best->row->time.median_ns;
  if (gain < kWorthSaying) return "";
  std::string how;
  const auto add = [&](bool differs, const std::string& what) {
    if (differs) how += (how.empty() ? "" : ", ") + what;
  };
  const Settings &own = row.settings, &its = best->row->settings;
  add(best->row->worker != row.worker, "worker " + best->row->worker);
  add(its.form != own.form, its.form == Form::packed ? "packed weights" : "plain weights");
  add(best->row->key() != row.key(), "stores that bypass the caches");
  add(its.threads != own.threads,
      its.threads == 0 ? "all cores"
                       : fmt::format("{} thread{}", its.threads, its.threads == 1 ? "" : "s"));
  add(its.timing != own.timing, fmt::format("{} calls", name(its.timing)));
  add(its.backend != own.backend,
      its.backend.empty() ? "the library's own choice of backend" : "backend " + its.backend);
  add(its.micro_batch != own.micro_batch,
      its.micro_batch == 0 ? "micro-batches of the default size"
                           : fmt::format("micro-batches of {}", its.micro_batch));
  add(its.graph != own.graph, its.graph ? "a recorded graph" : "no graph");
  if (how.empty()) return "";
  return fmt::format("{}: ×{:.2g} here", how, gain);
}

// Dtypes of fewer bytes whose roof is higher, with the ratio: "bf16 ×2, int8 ×4".
std::string Adviser::narrower(const Row& row, const std::string& device, int threads) const {
  // Quantised weights are narrow already; what their activations are called says nothing of them.
  if (const auto* gemm = std::get_if<Gemm>(&row.work); gemm && gemm->weights) return "";
  const auto dtype = product_dtype(row);
  const auto from = dtype ? parse_dtype(*dtype) : std::nullopt;
  if (!from) return "";
  const Roof* own = find(roofline_, Roof::Kind::compute, device, threads, *dtype);
  std::vector<std::pair<double, std::string>> faster;
  for (const Roof& roof : roofline_.roofs) {
    if (!own || roof.kind != Roof::Kind::compute || roof.device != device ||
        roof.threads != threads || roof.operation == *dtype) {
      continue;
    }
    const auto to = parse_dtype(roof.operation);
    const double gain = roof.rate.value / own->rate.value;
    // tf32 has as many bytes as f32.
    if (to && bytes_of(*to) <= bytes_of(*from) && gain > kWorthSaying) {
      faster.emplace_back(gain, roof.operation);
    }
  }
  std::sort(faster.begin(), faster.end());
  std::string out;
  for (const auto& [gain, name] : faster) {
    out += fmt::format("{}{} ×{:.2g}", out.empty() ? "" : ", ", name, gain);
  }
  return out;
}

// What would make a model faster that is bound by `placement`.
std::string Adviser::for_model(const Row& row, const Placement& placement,
                               const std::string& device, int threads) const {
  const Limit& nearest = placement.limits.front();
  if (nearest.kind == Roof::Kind::compute) {
    const std::string dtype = nearest.name.substr(nearest.name.find(' ') + 1);
    const Roof* own = find(roofline_, Roof::Kind::compute, device, threads, dtype);
    const Roof* int8 = find(roofline_, Roof::Kind::compute, device, threads, "int8");
    if (own && int8 && int8 != own && int8->rate.value > kWorthSaying * own->rate.value) {
      return fmt::format("products of narrower weights: int8 ×{:.2g} here",
                         int8->rate.value / own->rate.value);
    }
    return "fewer operations: a smaller model, or a shorter prompt";
  }
  std::vector<std::string> out;
  for (const ModelFormat format : {ModelFormat::q8_0, ModelFormat::q4_k_m}) {
    Workload other = row.work;
    ModelUse& use = *model_use(other);
    use.file.reset();
    use.format = format;
    const double gain = row.cost.bytes_read / cost(other, row.settings).bytes_read;
    if (gain >= kWorthWeights) out.push_back(fmt::format("{} ×{:.2g}", name(format), gain));
  }
  std::string text = out.empty() ? "fewer bytes: a smaller model"
                                 : fmt::format("fewer bytes: weights in {}", fmt::join(out, ", "));
  const auto compute =
      std::find_if(placement.limits.begin(), placement.limits.end(),
                   [](const Limit& one) { return one.kind == Roof::Kind::compute; });
  const auto* decode = std::get_if<Decode>(&row.work);
  if (!decode || compute == placement.limits.end()) return text;
  // As many sequences as share the weights before either limit is a quarter further away.
  int64_t most = decode->use.batch;
  for (int64_t batch = 2 * most; batch <= kMostSequences; batch *= 2) {
    Decode more = *decode;
    more.use.batch = batch;
    const Cost c = cost(more, row.settings);
    const double reads = nearest.floor_ns * c.bytes_read / row.cost.bytes_read;
    const double products = compute->floor_ns * c.executed_flops / row.cost.executed_flops;
    if (std::max(reads, products) > 1.25 * nearest.floor_ns) break;
    most = batch;
  }
  if (most > decode->use.batch) {
    text += fmt::format("; or a batch: {} sequences in place of {} take hardly longer", most,
                        decode->use.batch);
  }
  return text;
}

std::string Adviser::advice(const Run& run, const Row& row, const Placement& placement) const {
  if (!placement.refused.empty() || placement.limits.empty()) return "";
  const std::string device = physical_device(run.header, row.worker, row.device);
  const int threads = threads_of(run.header, device, row.settings);
  const Limit& nearest = placement.limits.front();
  const bool product = product_dtype(row).has_value();
  std::vector<std::string> out;
  if (std::string other = faster_way(run, row, device); !other.empty()) out.push_back(other);
  if (nearest.kind == Roof::Kind::file) {
    if (std::holds_alternative<Load>(row.work)) {
      if (!nearest.is_roof) out.emplace_back("more bytes at a time, or more threads");
      return joined(out);
    }
    const bool cold = row.settings.cache == CacheMode::cold;
    out.push_back(!placement.bound()
                      ? "reading the file is the lesser part: laying weights out and "
                        "the first prompt take the rest"
                  : cold ? "fewer bytes: weights of fewer bits; or a faster disk"
                         : "fewer bytes: weights of fewer bits");
    return joined(out);
  }
  if (!placement.bound()) {
    if (out.empty() && model_use(row.work)) {
      out.push_back(
          "other threads, a micro-batch or another library: nothing measured here is "
          "faster");
    } else if (out.empty()) {
      const bool few_rows = product && batch_of(row) > 0 && batch_of(row) <= kFewRows;
      const bool attention = std::holds_alternative<Attention>(row.work);
      if (attention && row.cost.footprint > cost(row.work, {}).footprint) {
        out.push_back("a fused kernel: the score matrix goes through memory");
      } else if (few_rows) {
        out.push_back("a kernel made for few rows: nothing measured here is faster");
      } else if (product) {
        out.push_back("another library, form or blocking: nothing measured here is faster");
      } else {
        out.push_back(fmt::format("nothing measured here does this work faster; {}'s roof is of {}",
                                  nearest.name, nearest.from.substr(0, nearest.from.find('@'))));
      }
    }
    return joined(out);
  }
  if (model_use(row.work)) {
    out.push_back(for_model(row, placement, device, threads));
    return joined(out);
  }
  switch (nearest.kind) {
    case Roof::Kind::compute: {
      const std::string other = narrower(row, device, threads);
      out.push_back(other.empty() ? "fewer operations: no narrower dtype measured here is faster"
                                  : "a narrower dtype: " + other + " here");
      break;
    }
    case Roof::Kind::memory: {
      if (!product) {
        // The level before this one, where smaller pieces would stay.
        const CacheLevel* smaller = nullptr;
        const std::string level = nearest.name.substr(0, nearest.name.find(' '));
        const Roof* own =
            find(roofline_, Roof::Kind::memory, device, threads, operation(row.work), level);
        const Roof* faster = nullptr;
        for (const CacheLevel& one : roofline_.levels) {
          if (one.device != device || one.threads != threads) continue;
          if (one.name == level) break;
          const Roof* roof =
              find(roofline_, Roof::Kind::memory, device, threads, operation(row.work), one.name);
          if (roof && own && roof->rate.value > 1.2 * own->rate.value) {
            smaller = &one;
            faster = roof;
          }
        }
        if (smaller) {
          out.push_back(fmt::format("pieces that stay in {}: up to {}", smaller->name,
                                    show_rate(faster->rate.value, RateUnit::byte_per_s)));
        } else {
          out.push_back("fewer bytes, or fewer passes over them");
        }
        break;
      }
      if (std::holds_alternative<Attention>(row.work)) {
        out.push_back("fewer bytes: keys and values of fewer bits, or fewer key heads");
        break;
      }
      const auto compute =
          std::find_if(placement.limits.begin(), placement.limits.end(),
                       [](const Limit& one) { return one.kind == Roof::Kind::compute; });
      const int64_t batch = batch_of(row);
      const auto dtype = parse_dtype(*product_dtype(row));
      std::string text = dtype && bytes_of(*dtype) == 1 ? "fewer bytes: weights of 4 bits"
                                                        : "fewer bytes: weights of 8 or 4 bits";
      if (batch > 0 && compute != placement.limits.end() && compute->floor_ns > 0) {
        const double room = nearest.floor_ns / compute->floor_ns;
        if (room >= 2) {
          text += fmt::format("; or a batch: up to {:.0f} rows in place of {} take hardly longer",
                              static_cast<double>(batch) * room, batch);
        }
      }
      out.push_back(text);
      break;
    }
    case Roof::Kind::file: break;
    case Roof::Kind::call:
      out.push_back(std::holds_alternative<Dispatch>(row.work)
                        ? "fewer calls: this is what one costs"
                        : "more work a call: a batch, or ops fused into one");
      break;
  }
  return joined(out);
}

}  // namespace ridge
