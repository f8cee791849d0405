#include "report/formats.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/model_table.h"
#include "report/table.h"
#include "workload/model/cost.h"
#include "workload/model/weights.h"

namespace ridge {
namespace {

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "";  // fmt knows no locale unless asked
}

// "load=0.8 s; burst=4.5e+11 FLOP/s"
std::string values_field(const Row& row) {
  std::string text;
  for (const Value& value : row.values) {
    text +=
        fmt::format("{}{}={} {}", text.empty() ? "" : "; ", value.name, value.value, value.unit);
  }
  return text;
}

constexpr std::string_view kModelColumns =
    "test,model_type,model_filename,model_size,model_n_params,n_prompt,n_gen,n_depth,n_parallel,"
    "n_ubatch,type_k,type_v,flash_attn,time_per_token_ns,j_per_token";

// By the names that llama-bench gives these; as many empty fields for rows of other work.
std::vector<std::string> model_fields(const Row& row) {
  const ModelUse* use = model_use(row.work);
  if (!use) {
    return std::vector<std::string>(
        1 + static_cast<size_t>(std::count(kModelColumns.begin(), kModelColumns.end(), ',')));
  }
  const auto* decode = std::get_if<Decode>(&row.work);
  const std::string kv(name(use->kv)), &backend = row.settings.backend;
  return {test_name(row.work),
          model_of(row),
          use->file ? use->file->path : "",
          std::to_string(weight_bytes_of(*use)),
          std::to_string(parameters(use->model).all),
          std::to_string(decode ? 0 : tokens_of(row.work)),
          std::to_string(decode ? decode->tokens : 0),
          std::to_string(use->depth),
          std::to_string(use->batch),
          std::to_string(micro_batch_of(row.settings)),
          kv,
          kv,
          backend == "flash"     ? "1"
          : backend == "unfused" ? "0"
                                 : "auto",
          number(time_per_token_ns(row)),
          number(joules_per_token(row))};
}

std::string csv(const std::vector<Row>& rows) {
  std::string out = fmt::format(
      "key,worker,device,cache,timing,form,threads,status,rate,rate_ci_low,rate_ci_high,rate_unit,"
      "median_ns,ci_low_ns,ci_high_ns,n,rounds,check,flags,kernel,reason,bytes_peak,values,{}\n",
      kModelColumns);
  for (const Row& row : rows) {
    std::string flags;
    for (const Flag flag : row.flags) {
      flags += (flags.empty() ? "" : " ") + std::string(text_of(flag).name);
    }
    std::vector<std::string> fields = {row.key(),
                                       row.worker,
                                       row.device,
                                       std::string(name(row.settings.cache)),
                                       std::string(name(row.settings.timing)),
                                       std::string(name(row.settings.form)),
                                       std::to_string(row.settings.threads),
                                       std::string(name(row.status)),
                                       number(row.rate.value),
                                       number(row.rate.ci_low),
                                       number(row.rate.ci_high),
                                       std::string(name(row.rate.unit)),
                                       number(row.time.median_ns),
                                       number(row.time.ci_low_ns),
                                       number(row.time.ci_high_ns),
                                       std::to_string(row.time.n),
                                       std::to_string(row.time.rounds),
                                       std::string(name(row.check.verdict)),
                                       flags,
                                       row.kernel,
                                       row.reason,
                                       row.bytes_peak > 0 ? std::to_string(row.bytes_peak) : "",
                                       values_field(row)};
    for (std::string& field : model_fields(row)) fields.push_back(std::move(field));
    bool first = true;
    for (const std::string& field : fields) {
      out += (first ? "" : ",") + csv_field(field);
      first = false;
    }
    out += '\n';
  }
  return out;
}

std::string json(const Run& run) {
  Json schema = Json::object(), out = Json::object(), results = Json::array(),
       flags = Json::array();
  schema.set("name", kRunSchemaName).set("version", kRunSchemaVersion);
  for (const Row& row : run.rows) results.push(to_json(row));
  for (const FlagText& text : flag_texts()) {
    Json flag = Json::object();
    flag.set("name", text.name).set("cause", text.cause).set("advice", text.advice);
    flags.push(std::move(flag));
  }
  Json argv = Json::array();
  for (const std::string& word : run.header.argv) argv.push(word);
  out.set("schema", std::move(schema)).set("id", run.header.id);
  out.set("started_utc", run.header.started_utc).set("argv", std::move(argv));
  out.set("tool", run.header.tool).set("machine_key", run.header.machine_key);
  out.set("machine", run.header.machine).set("settings", run.header.settings);
  out.set("workers", run.header.workers).set("results", std::move(results));
  out.set("flags", std::move(flags));
  return out.dump(2) + "\n";
}

}  // namespace

std::optional<Format> parse_format(std::string_view text) {
  if (text == "md") return Format::md;
  if (text == "csv") return Format::csv;
  if (text == "json") return Format::json;
  if (text == "jsonl") return Format::jsonl;
  return std::nullopt;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string render(const Run& run, Format format) {
  switch (format) {
    case Format::md: return rows_table(run);
    case Format::csv: return csv(run.rows);
    case Format::json: return json(run);
    case Format::jsonl: break;
  }
  std::string out;
  for (const Row& row : run.rows) out += to_json(row).dump() + "\n";
  return out;
}

}  // namespace ridge
