#include "store/run_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/random.h"

namespace ridge {
namespace {

constexpr size_t kMostLine = size_t{64} << 20;
constexpr size_t kBatchBytes = size_t{8} << 20;  // of lines that are parsed together

template <class T>
Json list(const std::vector<T>& values) {
  Json::Array out;
  for (const T& value : values) out.emplace_back(value);
  return out;
}

// Picoseconds are more than any clock has: fewer digits, smaller files.
Json times(const std::vector<double>& ns) {
  Json::Array out;
  out.reserve(ns.size());
  for (const double value : ns) out.emplace_back(std::round(value * 1000) / 1000);
  return out;
}

Json header_line(const Header& header) {
  Json schema = Json::object(), json = Json::object();
  schema.set("name", kRunSchemaName).set("version", kRunSchemaVersion);
  json.set("type", "header").set("schema", std::move(schema)).set("id", header.id);
  json.set("started_utc", header.started_utc).set("argv", list(header.argv));
  json.set("machine_key", header.machine_key).set("machine", header.machine);
  json.set("tool", header.tool).set("settings", header.settings).set("workers", header.workers);
  json.set("telemetry", header.telemetry);
  json.set("row_keys", list(header.row_keys));
  return json;
}

Result<Header> parse_header(const Json& json, const std::string& where) {
  Header header;
  Json schema;
  Fields fields(json, where);
  fields.required("schema", schema)
      .required("id", header.id)
      .required("started_utc", header.started_utc)
      .optional("argv", header.argv)
      .required("machine_key", header.machine_key)
      .optional("machine", header.machine)
      .optional("tool", header.tool)
      .optional("settings", header.settings)
      .optional("workers", header.workers)
      .optional("telemetry", header.telemetry)
      .optional("row_keys", header.row_keys);
  if (auto done = fields.done(Fields::Unknown::allow); !done) return done.error();
  std::string name, version;
  Fields schema_fields(schema, where + ": schema");
  schema_fields.required("name", name).required("version", version);
  if (auto done = schema_fields.done(Fields::Unknown::allow); !done) return done.error();
  if (name != kRunSchemaName) {
    return Error{fmt::format("{}: this is '{}', not a {} file", where, name, kRunSchemaName)};
  }
  if (version.substr(0, version.find('.')) != "1") {
    return Error{
        fmt::format("{}: schema version {} is newer than this ridge reads (1.x)", where, version)};
  }
  return header;
}

Result<Summary> parse_summary(const Json& json, const std::string& where) {
  Summary summary;
  Fields fields(json, where);
  fields.required("ended_utc", summary.ended_utc)
      .optional("wall_s", summary.wall_s)
      .optional("measuring_s", summary.measuring_s)
      .optional("eta_s", summary.eta_s)
      .optional("interrupted", summary.interrupted)
      .optional("noise_floor_percent", summary.noise_floor_percent);
  if (auto done = fields.done(Fields::Unknown::allow); !done) return done.error();
  return summary;
}

Result<Canary> parse_canary(const Json& json, const std::string& where) {
  Canary canary;
  Fields fields(json, where);
  fields.required("key", canary.key)
      .required("at_s", canary.at_s)
      .required("median_ns", canary.median_ns);
  if (auto done = fields.done(Fields::Unknown::allow); !done) return done.error();
  return canary;
}

// Rows that the header does not name stay at the end, as they came.
void put_in_order(const std::vector<std::string>& row_keys, std::vector<Row>& rows) {
  std::unordered_map<std::string_view, size_t> rank;
  for (const std::string& key : row_keys) rank.try_emplace(key, rank.size());
  std::vector<std::pair<size_t, size_t>> order;  // rank, place: each row's key is made once
  bool in_order = true;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto at = rank.find(rows[i].row_key());
    order.emplace_back(at == rank.end() ? row_keys.size() : at->second, i);
    in_order = in_order && (i == 0 || order[i - 1] < order[i]);
  }
  if (in_order) return;
  std::sort(order.begin(), order.end());
  std::vector<Row> sorted;
  sorted.reserve(rows.size());
  for (const auto& [ranked, place] : order) sorted.push_back(std::move(rows[place]));
  rows = std::move(sorted);
}

int open_new(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string new_run_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const TensorKey key =
      tensor_key(static_cast<uint64_t>(now), static_cast<uint64_t>(::getpid()), 0, "run id");
  return fmt::format("{:08x}", random_bits(key, 0));
}

Result<RunWriter> RunWriter::create(const std::string& folder, const Header& header) {
  const std::filesystem::path machine = std::filesystem::path(folder) / "raw" / header.machine_key;
  std::error_code error;
  std::filesystem::create_directories(machine, error);
  if (error) {
    return Error{fmt::format("cannot make the folder {}: {} (choose another with --out)",
                             machine.string(), error.message())};
  }
  std::string time = header.started_utc;
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const std::string stem = (machine / (time + "-" + header.id)).string();
  RunWriter writer;
  writer.path_ = stem + ".jsonl";
  // It gets its name once the header is in it: a run file always begins with one.
  const std::string part = writer.path_ + ".part";
  const auto give_up = [&](const std::string& why) {
    std::filesystem::remove(part, error);
    return Error{why + " (choose another folder with --out)"};
  };
  writer.rows_.fd = open_new(part);
  if (writer.rows_.fd >= 0) {
    if (auto wrote = writer.append(writer.rows_, header_line(header)); !wrote) {
      return give_up(wrote.error().message);
    }
    writer.samples_.fd = open_new(stem + ".samples.jsonl");
  }
  if (writer.samples_.fd < 0 || ::rename(part.c_str(), writer.path_.c_str()) != 0) {
    return give_up(fmt::format("cannot write {}: {}", writer.path_, std::strerror(errno)));
  }
  return writer;
}

RunWriter::RunWriter(RunWriter&& other) noexcept
    : path_(std::move(other.path_)),
      rows_(std::exchange(other.rows_, {})),
      samples_(std::exchange(other.samples_, {})) {}

RunWriter::~RunWriter() {
  for (const File& file : {rows_, samples_}) {
    if (file.fd >= 0) ::close(file.fd);
  }
}

Result<void> RunWriter::append(File& file, const Json& line) {
  const std::string text = (file.torn ? "\n" : "") + line.dump() + "\n";
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(file.fd, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      file.torn = file.torn || done > 0;
      return Error{fmt::format("cannot write {}: {}", path_, std::strerror(errno))};
    }
    done += static_cast<size_t>(wrote);
  }
  file.torn = false;
  return {};
}

Result<void> RunWriter::add(const Row& row) { return append(rows_, to_json(row)); }

Result<void> RunWriter::add(const RoundSamples& samples) {
  Json json = Json::object();
  json.set("type", "samples").set("row_key", samples.row_key).set("round", samples.round);
  json.set("start_s", samples.start_s).set("ops_per_sample", samples.ops_per_sample);
  json.set("warmup", samples.warmup).set("start_ns", times(samples.start_ns));
  json.set("ns", times(samples.ns));
  Json disturbed = Json::array();
  for (const Disturbed& part : samples.disturbed) {
    Json one = Json::object();
    one.set("from_ns", std::round(part.from_ns)).set("to_ns", std::round(part.to_ns));
    disturbed.push(one.set("what", part.what));
  }
  json.set("disturbed", std::move(disturbed));
  return append(samples_, json);
}

Result<void> RunWriter::add(const Canary& canary) {
  Json json = Json::object();
  json.set("type", "canary").set("key", canary.key).set("at_s", canary.at_s);
  json.set("median_ns", canary.median_ns);
  return append(rows_, json);
}

Result<void> RunWriter::close(const Summary& summary) {
  Json json = Json::object();
  json.set("type", "summary").set("ended_utc", summary.ended_utc).set("wall_s", summary.wall_s);
  json.set("measuring_s", summary.measuring_s).set("eta_s", summary.eta_s);
  json.set("interrupted", summary.interrupted);
  json.set("noise_floor_percent", summary.noise_floor_percent);
  return append(rows_, json);
}

Result<Run> read_run(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return Error{fmt::format("{}: is a folder; name a run file in it", path)};
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{fmt::format("{}: {}", path, std::strerror(errno))};
  return read_run(file, path);
}

namespace {

// What a line after the header holds; nothing where it is blank or of a type not known here.
struct Parsed {
  std::string warning;  // why it is skipped
  std::optional<Row> row;
  std::optional<Canary> canary;
  std::optional<Summary> summary;
};

template <class T>
void keep(Result<T> found, std::optional<T>& out) {
  if (found) out = *std::move(found);
}

Parsed parse_line(const std::string& text, const std::string& path, int64_t number) {
  Parsed out;
  if (text.find_first_not_of(" \t\r") == std::string::npos) return out;
  const std::string where = fmt::format("{}:{}", path, number);
  auto json = Json::parse(text);
  if (!json) {
    out.warning = fmt::format("{}: {}: line skipped", where, json.error().message);
    return out;
  }
  const Json* type = json->find("type");
  const std::string what = type && type->is_string() ? type->as_string() : "";
  if (what == "row") {
    auto row = parse_row(*json, where);
    if (!row) out.warning = row.error().message + ": row skipped";
    keep(std::move(row), out.row);
  } else if (what == "canary") {
    keep(parse_canary(*json, where), out.canary);
  } else if (what == "summary") {
    keep(parse_summary(*json, where), out.summary);
  }
  return out;
}

// Parsing takes nearly all of the time that reading takes: the lines are cut among the processors.
std::vector<Parsed> parse_lines(const std::vector<std::string>& lines, const std::string& path,
                                int64_t first_number) {
  std::vector<Parsed> out(lines.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < lines.size(); i = next++) {
      out[i] = parse_line(lines[i], path, first_number + static_cast<int64_t>(i));
    }
  };
  constexpr size_t kWorthAThread = 64;
  const size_t helpers = std::min<size_t>(std::max(1u, std::thread::hardware_concurrency()) - 1,
                                          lines.size() / kWorthAThread);
  std::vector<std::future<void>> running;
  try {
    for (size_t i = 0; i < helpers; ++i) running.push_back(std::async(std::launch::async, work));
  } catch (const std::system_error&) {
    // No more threads are allowed here: those that there are do it.
  }
  work();
  for (auto& one : running) one.get();
  return out;
}

// The header's line, whose number is counted in `number`.
Result<Header> read_header(std::istream& file, const std::string& path, int64_t& number) {
  std::string text;
  while (std::getline(file, text)) {
    const std::string where = fmt::format("{}:{}", path, ++number);
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (text.size() > kMostLine) return Error{where + ": a line of more than 64 MiB"};
    auto json = Json::parse(text);
    if (!json) return Error{fmt::format("{}: {}: not a run file", where, json.error().message)};
    const Json* type = json->find("type");
    if (!type || !type->is_string() || type->as_string() != "header") {
      return Error{where + ": a run file begins with its header"};
    }
    return parse_header(*json, where);
  }
  return Error{path + ": empty: a run file begins with its header"};
}

}  // namespace

Result<Run> read_run(std::istream& file, const std::string& path) {
  Run run;
  run.path = path;
  int64_t number = 0;
  auto header = read_header(file, path, number);
  if (!header) return header.error();
  run.header = *std::move(header);
  std::unordered_map<std::string, size_t> places;
  while (file) {
    std::vector<std::string> lines;
    size_t bytes = 0;
    for (std::string text; bytes < kBatchBytes && std::getline(file, text);) {
      if (text.size() > kMostLine) {
        return Error{fmt::format("{}:{}: a line of more than 64 MiB", path,
                                 number + 1 + static_cast<int64_t>(lines.size()))};
      }
      bytes += text.size() + 1;
      lines.push_back(std::move(text));
    }
    for (Parsed& line : parse_lines(lines, path, number + 1)) {
      if (!line.warning.empty()) run.warnings.push_back(std::move(line.warning));
      if (line.canary) run.canaries.push_back(*std::move(line.canary));
      if (line.summary) run.summary = *std::move(line.summary);
      if (!line.row) continue;
      const auto [at, is_new] = places.try_emplace(line.row->row_key(), run.rows.size());
      if (is_new) {
        run.rows.push_back(*std::move(line.row));
      } else {
        run.rows[at->second] = *std::move(line.row);
      }
    }
    number += static_cast<int64_t>(lines.size());
  }
  put_in_order(run.header.row_keys, run.rows);
  return run;
}

}  // namespace ridge
