#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/json.h"
#include "machine/chips.h"
#include "machine/files.h"

namespace ridge {
namespace {

constexpr std::array<std::string_view, 11> kDTypes = {
    "f64", "f32", "tf32", "f16", "bf16", "fp8", "int8", "int16", "int32", "fp4", "nvfp4"};

// Reads one file: its sources first, which every figure names.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  // The array `list` of the file, after its sources.
  Result<Json> open(std::string_view text, std::string_view list) {
    auto json = Json::parse(text);
    if (!json) return json.error().in(where_);
    std::string about, version;
    Json sources, items;
    Fields fields(*json, where_);
    fields.optional("about", about)
        .required("version", version)
        .required("sources", sources)
        .required(list, items);
    if (!sources.is_null() && !sources.is_object()) fields.fail("sources", "must be an object");
    if (!items.is_null() && !items.is_array()) fields.fail(list, "must be an array");
    if (auto done = fields.done(); !done) return done.error();
    for (const auto& [id, source] : sources.as_object()) {
      if (auto read = read_source(id, source); !read) return read.error();
    }
    return items;
  }

  Result<Chip> chip(const Json& json, int index);
  Result<Link> link(const Json& json, int index);
  std::vector<ChipSource> take_sources() { return std::move(sources_); }

 private:
  Result<void> read_source(const std::string& id, const Json& json) {
    ChipSource out;
    out.id = id;
    std::string date, reason;
    Fields fields(json, fmt::format("{}: source {}", where_, id));
    fields.required("title", out.title)
        .required("kind", out.kind)
        .optional("date", date)
        .optional("date_reason", reason);
    if (date.empty() == reason.empty()) fields.fail("date", "or 'date_reason' must be given");
    out.date = date.empty() ? Known<std::string>::unknown(reason) : Known<std::string>(date);
    ids_.insert(id);
    sources_.push_back(std::move(out));
    return fields.done();
  }
  void sourced(Fields& fields, std::string_view key, const std::string& id) const {
    if (!id.empty() && !ids_.count(id)) fields.fail(key, fmt::format("'{}' is no source", id));
  }
  static void positive(Fields& fields, std::string_view key, double value) {
    if (!(value > 0 && value < 1e30)) fields.fail(key, "must be above 0, and below 1e30");
  }
  static void a_dtype(Fields& fields, std::string_view key, const std::string& dtype) {
    if (std::find(kDTypes.begin(), kDTypes.end(), dtype) == kDTypes.end()) {
      fields.fail(key, fmt::format("'{}' is no dtype ({})", dtype, fmt::join(kDTypes, ", ")));
    }
  }
  Result<void> read_factors(const Json& json, const std::string& where, PeakFactors& out) const {
    double ghz = 0;
    Fields fields(json, where + ": factors");
    fields.required("units", out.units)
        .required("unit", out.unit)
        .required("flop_per_clock", out.flop_per_clock)
        .required("clock_ghz", ghz);
    out.clock_hz = ghz * 1e9;
    positive(fields, "units", out.units);
    positive(fields, "flop_per_clock", out.flop_per_clock);
    positive(fields, "clock_ghz", ghz);
    return fields.done();
  }
  Result<void> read_peak(const Json& json, const std::string& where, Chip& chip) const {
    Peak peak;
    std::vector<std::string> dtypes;
    std::string sparsity;
    double tflops = 0;
    Json factors;
    Fields fields(json, where);
    fields.required("dtypes", dtypes)
        .required("sparsity", sparsity)
        .required("tflops", tflops)
        .optional("approximate", peak.approximate)
        .optional("factors", factors)
        .required("source", peak.source);
    positive(fields, "tflops", tflops);
    sourced(fields, "source", peak.source);
    if (dtypes.empty()) fields.fail("dtypes", "is empty");
    for (const std::string& dtype : dtypes) a_dtype(fields, "dtypes", dtype);
    if (sparsity != "dense" && sparsity != "2:4") fields.fail("sparsity", "must be dense or 2:4");
    if (auto done = fields.done(); !done) return done;
    peak.sparsity = sparsity == "dense" ? Sparsity::dense : Sparsity::two_of_four;
    peak.flops = tflops * 1e12;
    peak.announced = chip.announced;
    if (!factors.is_null()) {
      if (auto read = read_factors(factors, where, peak.factors.emplace()); !read) return read;
    }
    for (const std::string& dtype : dtypes) {
      peak.dtype = dtype;
      chip.peaks.push_back(peak);
    }
    return {};
  }
  Result<void> read_bandwidth(const Json& json, const std::string& where, Chip& chip) const {
    MemoryBandwidth out;
    double gb = 0;
    std::optional<double> advertised;
    Json factors;
    Fields fields(json, where);
    fields.required("gb_per_s", gb)
        .optional("advertised_gb_per_s", advertised)
        .optional("factors", factors)
        .optional("approximate", out.approximate)
        .optional("at_most", out.at_most)
        .required("source", out.source);
    positive(fields, "gb_per_s", gb);
    if (advertised) positive(fields, "advertised_gb_per_s", *advertised);
    sourced(fields, "source", out.source);
    if (auto done = fields.done(); !done) return done;
    out.bytes_per_s = gb * 1e9;
    if (advertised) out.advertised_bytes_per_s = *advertised * 1e9;
    out.announced = chip.announced;
    if (!factors.is_null()) {
      double bits = 0, gigatransfers = 0;
      Fields inner(factors, where + ": factors");
      inner.required("bus_bits", bits).required("gigatransfers_per_s", gigatransfers);
      positive(inner, "bus_bits", bits);
      positive(inner, "gigatransfers_per_s", gigatransfers);
      if (auto done = inner.done(); !done) return done;
      out.bus_bits = bits;
      out.transfers_per_s = gigatransfers * 1e9;
    }
    chip.bandwidth = out;
    return {};
  }
  Result<void> read_model(const Json& json, const std::string& where, Chip& chip) {
    ChipModel model;
    std::optional<int64_t> cores;
    std::string reason = "its maker tells it by the name alone";
    Fields fields(json, where);
    fields.required("name", model.name).optional("cores", cores).optional("cores_reason", reason);
    if (cores && *cores < 1) fields.fail("cores", "must be above 0");
    model.cores = cores ? Known<int64_t>(*cores) : Known<int64_t>::unknown(reason);
    const std::string name = normalized_chip_name(model.name);
    if (name.empty()) fields.fail("name", "is empty");
    // Without a count the name must be alone; with one, the pair.
    for (const auto& [other, count] : models_) {
      if (other == name && (!cores || !count || *cores == *count)) {
        fields.fail("name", fmt::format("'{}' stands twice", model.name));
      }
    }
    models_.emplace_back(name, cores);
    chip.models.push_back(std::move(model));
    return fields.done();
  }
  // The members of an optional array, each by `read(item, where)`.
  template <class Read>
  Result<void> each(const Json& list, const std::string& where, std::string_view what,
                    const Read& read) {
    if (list.is_null()) return {};
    if (!list.is_array()) return Error{fmt::format("{}: {}: not an array", where, what)};
    int index = 0;
    for (const Json& item : list.as_array()) {
      if (auto done = read(item, fmt::format("{}: {} {}", where, what, ++index)); !done) {
        return done;
      }
    }
    return {};
  }

  std::string where_;
  std::vector<ChipSource> sources_;
  std::set<std::string> ids_, chips_;
  std::vector<std::pair<std::string, std::optional<int64_t>>> models_;
};

Result<Chip> Reader::chip(const Json& json, int index) {
  Chip chip;
  std::string kind, status, status_date, bandwidth_reason = "not in chips.json";
  Json models, memory, bandwidth, peaks, cores, caches, matmul, neural;
  const std::string at = fmt::format("{}: chip {}", where_, index);
  Fields fields(json, at);
  fields.required("id", chip.id)
      .required("kind", kind)
      .required("vendor", chip.vendor)
      .required("name", chip.name)
      .required("status", status)
      .optional("status_date", status_date)
      .required("models", models)
      .optional("models_source", chip.models_source)
      .optional("memory", memory)
      .optional("bandwidth", bandwidth)
      .optional("bandwidth_reason", bandwidth_reason)
      .optional("peaks", peaks)
      .optional("peaks_reason", chip.peaks_reason)
      .optional("per_core", cores)
      .optional("caches", caches)
      .optional("best_matmul", matmul)
      .optional("neural_engine", neural)
      .optional("factors_source", chip.factors_source)
      .optional("clock_source", chip.clock_source);
  sourced(fields, "models_source", chip.models_source);
  sourced(fields, "factors_source", chip.factors_source);
  sourced(fields, "clock_source", chip.clock_source);
  if (kind == "apple")
    chip.kind = ChipKind::apple;
  else if (kind == "cpu")
    chip.kind = ChipKind::cpu;
  else if (kind != "accelerator")
    fields.fail("kind", "must be accelerator, apple or cpu");
  if (status != "shipping" && status != "announced") {
    fields.fail("status", "must be shipping or announced");
  }
  if (!chips_.insert(chip.id).second) fields.fail("id", fmt::format("'{}' stands twice", chip.id));
  if (auto done = fields.done(); !done) return done.error();
  chip.announced = status == "announced";
  chip.bandwidth = Known<MemoryBandwidth>::unknown(bandwidth_reason);

  const std::string where = fmt::format("{} ({})", at, chip.id);
  const auto model = [&](const Json& j, const std::string& w) { return read_model(j, w, chip); };
  const auto peak = [&](const Json& j, const std::string& w) { return read_peak(j, w, chip); };
  const auto core = [&](const Json& j, const std::string& w) -> Result<void> {
    CorePeak out;
    Fields f(j, w);
    f.required("dtype", out.dtype)
        .required("flop_per_clock", out.flop_per_clock)
        .required("instruction", out.instruction)
        .required("source", out.source);
    positive(f, "flop_per_clock", out.flop_per_clock);
    a_dtype(f, "dtype", out.dtype);
    sourced(f, "source", out.source);
    chip.per_core.push_back(std::move(out));
    return f.done();
  };
  const auto cache = [&](const Json& j, const std::string& w) -> Result<void> {
    ChipCache out;
    Fields f(j, w);
    f.required("level", out.level)
        .required("bytes", out.bytes)
        .optional("approximate", out.approximate)
        .required("source", out.source);
    positive(f, "bytes", static_cast<double>(out.bytes));
    sourced(f, "source", out.source);
    chip.caches.push_back(std::move(out));
    return f.done();
  };
  const auto best = [&](const Json& j, const std::string& w) -> Result<void> {
    BestMatmul out;
    double tflops = 0;
    Fields f(j, w);
    f.required("dtype", out.dtype).required("tflops", tflops).required("source", out.source);
    positive(f, "tflops", tflops);
    a_dtype(f, "dtype", out.dtype);
    sourced(f, "source", out.source);
    out.flops = tflops * 1e12;
    chip.best_matmul.push_back(std::move(out));
    return f.done();
  };
  if (auto r = each(models, where, "model", model); !r) return r.error();
  if (chip.models.empty()) return Error{where + ": 'models' is empty"};
  if (auto r = each(peaks, where, "peak", peak); !r) return r.error();
  if (auto r = each(cores, where, "core", core); !r) return r.error();
  if (auto r = each(caches, where, "cache", cache); !r) return r.error();
  if (auto r = each(matmul, where, "product", best); !r) return r.error();
  if (!bandwidth.is_null()) {
    if (auto r = read_bandwidth(bandwidth, where + ": bandwidth", chip); !r) return r.error();
  }
  if (!memory.is_null()) {
    int64_t bytes = 0;
    std::string type, note;
    Fields f(memory, where + ": memory");
    f.required("bytes", bytes).optional("type", type).optional("note", note);
    positive(f, "bytes", static_cast<double>(bytes));
    if (auto done = f.done(); !done) return done.error();
    chip.memory_bytes = bytes;
  }
  if (!neural.is_null()) {
    NeuralEngine out;
    double tops = 0;
    Fields f(neural, where + ": neural_engine");
    f.required("tops", tops).required("basis", out.basis).required("source", out.source);
    positive(f, "tops", tops);
    sourced(f, "source", out.source);
    if (auto done = f.done(); !done) return done.error();
    out.ops = tops * 1e12;
    chip.neural_engine = std::move(out);
  }
  if (chip.kind == ChipKind::cpu) {
    if (chip.per_core.empty()) return Error{where + ": a cpu needs 'per_core'"};
    if (!chip.peaks.empty()) return Error{where + ": a cpu's peaks follow from 'per_core'"};
  } else if (chip.peaks.empty() == chip.peaks_reason.empty()) {
    return Error{where + ": either 'peaks' or 'peaks_reason'"};
  }
  return chip;
}

Result<Link> Reader::link(const Json& json, int index) {
  Link out;
  std::string status;
  double gb = 0, gigabits = 0;
  std::optional<double> measured;
  std::vector<double> payload;
  Json factors;
  const std::string where = fmt::format("{}: link {}", where_, index);
  Fields fields(json, where);
  fields.required("id", out.id)
      .required("name", out.name)
      .required("status", status)
      .required("gb_per_s_per_direction", gb)
      .required("factors", factors)
      .required("source", out.source)
      .optional("measured_gb_per_s", measured)
      .optional("measured_source", out.measured_source);
  positive(fields, "gb_per_s_per_direction", gb);
  sourced(fields, "source", out.source);
  sourced(fields, "measured_source", out.measured_source);
  if (measured && out.measured_source.empty()) fields.fail("measured_source", "is missing");
  if (!chips_.insert(out.id).second) fields.fail("id", fmt::format("'{}' stands twice", out.id));
  if (auto done = fields.done(); !done) return done.error();
  Fields inner(factors, where + ": factors");
  inner.required("lanes", out.lanes)
      .required("gigabits_per_s", gigabits)
      .required("payload", payload);
  positive(inner, "lanes", out.lanes);
  positive(inner, "gigabits_per_s", gigabits);
  const bool fraction =
      payload.size() == 2 && payload[0] > 0 && payload[1] > 0 && payload[0] <= payload[1];
  if (!fraction) inner.fail("payload", "must be two numbers, such as [128, 130]");
  if (auto done = inner.done(); !done) return done.error();
  out.bytes_per_s = gb * 1e9;
  out.bits_per_s = gigabits * 1e9;
  out.payload = payload[0] / payload[1];
  if (measured) out.measured_bytes_per_s = *measured * 1e9;
  return out;
}

}  // namespace

Result<ChipDatabase> parse_chips(std::string_view chips, const std::string& chips_where,
                                 std::string_view links, const std::string& links_where) {
  ChipDatabase out;
  Reader chip_reader(chips_where), link_reader(links_where);
  auto chip_list = chip_reader.open(chips, "chips");
  if (!chip_list) return chip_list.error();
  auto link_list = link_reader.open(links, "links");
  if (!link_list) return link_list.error();
  int index = 0;
  for (const Json& json : chip_list->as_array()) {
    auto chip = chip_reader.chip(json, ++index);
    if (!chip) return chip.error();
    out.chips.push_back(std::move(*chip));
  }
  index = 0;
  for (const Json& json : link_list->as_array()) {
    auto link = link_reader.link(json, ++index);
    if (!link) return link.error();
    out.links.push_back(std::move(*link));
  }
  out.sources = chip_reader.take_sources();
  out.link_sources = link_reader.take_sources();
  return out;
}

Result<ChipDatabase> read_chips(const std::string& folder) {
  Sources below;
  below.root = folder;
  auto chips = machine::read_text(below, "/chips.json", machine::kLargeFile);
  if (!chips) return chips.error();
  auto links = machine::read_text(below, "/links.json", machine::kLargeFile);
  if (!links) return links.error();
  return parse_chips(*chips, folder + "/chips.json", *links, folder + "/links.json");
}

}  // namespace ridge
