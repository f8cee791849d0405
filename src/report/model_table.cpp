#include "report/model_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/table.h"
#include "workload/model/weights.h"

namespace ridge {
namespace {

std::string parameters_text(const ModelConfig& model) {
  const auto all = static_cast<double>(parameters(model).all);
  return all < 1e9 ? fmt::format("{:.2f} M", all * 1e-6) : fmt::format("{:.2f} B", all * 1e-9);
}

// What is not as in most rows: "kv q8_0, 4 sequences, ub 256, flash".
std::string how_text(const Row& row) {
  const ModelUse& use = *model_use(row.work);
  std::vector<std::string> parts;
  if (use.kv != KvFormat::f16) parts.push_back(fmt::format("kv {}", name(use.kv)));
  if (use.batch != 1) parts.push_back(fmt::format("{} sequences", use.batch));
  const auto* prefill = std::get_if<Prefill>(&row.work);
  if (prefill && prefill->logits == Prefill::Logits::all) parts.emplace_back("all logits");
  if (row.settings.micro_batch != 0)
    parts.push_back(fmt::format("ub {}", row.settings.micro_batch));
  if (!row.settings.backend.empty()) parts.push_back(row.settings.backend);
  if (row.settings.form != Form::plain) parts.emplace_back(name(row.settings.form));
  if (reads_file(row.work)) {
    parts.push_back(fmt::format("page cache {}", name(row.settings.cache)));
  } else if (row.settings.cache != CacheMode::hot) {
    parts.emplace_back(name(row.settings.cache));
  }
  if (row.settings.timing != Timing::isolated) parts.emplace_back(name(row.settings.timing));
  if (row.settings.graph) parts.emplace_back("graph");
  return fmt::format("{}", fmt::join(parts, ", "));
}

// One a core is what 0 asks for.
std::string threads_text(const Run& run, const Row& row) {
  if (row.settings.threads != 0) return std::to_string(row.settings.threads);
  if (physical_device(run.header, row.worker, row.device) != "cpu") return "–";
  const Json* cpu = run.header.machine.find("cpu");
  const Json* cores = cpu ? cpu->find("cores") : nullptr;
  return cores && cores->is_int() ? std::to_string(cores->as_int()) : "all";
}

std::string interval_text(const Row& row) {
  const auto half = relative_half_width(row);
  if (!half) return "–";
  return fmt::format("±{:.1f} %{}", 100 * *half, row.time.rounds == 1 ? " (1 process)" : "");
}

// Three digits, as every rate.
std::string tokens_text(const Row& row) {
  if (row.status != Status::ok) return std::string(name(row.status));
  if (!row.rate.value || row.rate.unit != RateUnit::token_per_s) return "–";
  const std::string text = show_rate(*row.rate.value, RateUnit::token_per_s);
  return text.substr(0, text.find(' '));
}

std::string joules_text(const Row& row) {
  const auto joules = joules_per_token(row);
  return joules ? fmt::format("{:.3g}", *joules) : "–";
}

}  // namespace

std::string model_of(const Row& row) {
  const ModelUse* use = model_use(row.work);
  return use ? fmt::format("{} {}", use->model.name, format_name(*use)) : "";
}

std::optional<double> joules_per_token(const Row& row) {
  if (!model_use(row.work) || !row.telemetry.energy_j_per_op || !(row.cost.count > 0)) {
    return std::nullopt;
  }
  return *row.telemetry.energy_j_per_op / row.cost.count;
}

std::optional<double> time_per_token_ns(const Row& row) {
  const auto* decode = std::get_if<Decode>(&row.work);
  if (!decode || row.status != Status::ok || !row.time.median_ns) return std::nullopt;
  return *row.time.median_ns / static_cast<double>(decode->tokens);
}

void ModelTable::add(const Row& row, std::string limit, std::string flags) {
  lines_.push_back({&row, std::move(limit), std::move(flags)});
}

std::string ModelTable::markdown() const {
  const auto any = [&](auto&& has) { return std::any_of(lines_.begin(), lines_.end(), has); };
  const bool how = any([](const Line& line) { return !how_text(*line.row).empty(); });
  const bool joules = any([](const Line& line) { return joules_per_token(*line.row).has_value(); });
  std::vector<std::string> header = {"model", "size", "params", "backend", "threads"};
  std::vector<bool> right = {false, true, true, false, true};
  const auto column = [&](bool wanted, const char* title, bool is_number) {
    if (!wanted) return;
    header.emplace_back(title);
    right.push_back(is_number);
  };
  column(how, "how", false);
  for (const char* title : {"test", "t/s", "95 %", "TTFT", "TPOT"}) column(true, title, true);
  column(joules, "J/token", true);
  column(true, "limit", false);
  column(true, "flags", false);
  Table table(header, right);
  for (const auto& [row, limit, flags] : lines_) {
    const ModelUse& use = *model_use(row->work);
    std::vector<std::string> cells = {
        model_of(*row), show_bytes(weight_bytes_of(use)), parameters_text(use.model),
        fmt::format("{} {}", row->worker, row->device), threads_text(run_, *row)};
    if (how) cells.push_back(how_text(*row));
    const auto per_token = time_per_token_ns(*row);
    const bool first = !std::holds_alternative<Decode>(row->work) && row->status == Status::ok;
    cells.push_back(test_name(row->work));
    cells.push_back(tokens_text(*row));
    cells.push_back(interval_text(*row));
    cells.push_back(first && row->time.median_ns ? show_time(*row->time.median_ns) : "");
    cells.push_back(per_token ? show_time(*per_token) : "");
    if (joules) cells.push_back(joules_text(*row));
    cells.push_back(limit);
    cells.push_back(flags);
    table.add(std::move(cells));
  }
  return table.markdown();
}

}  // namespace ridge
