#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "report/model_table.h"

namespace ridge {
namespace {

// Columns a terminal needs: code points, as none of ours is wide.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string space(width - width_of(text), ' ');
  return right ? space + text : text + space;
}

// "burst 451 GFLOPS, sustained 440 GFLOPS (95 % 438 GFLOPS to 441 GFLOPS)"
std::string values_text(const Row& row) {
  std::string text;
  for (const Value& value : row.values) {
    std::string label = value.name;
    std::replace(label.begin(), label.end(), '_', ' ');
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", label, show(value));
    if (value.ci_low && value.ci_high) {
      Value low = value, high = value;
      low.value = *value.ci_low;
      high.value = *value.ci_high;
      text += fmt::format(" (95 % {} to {})", show(low), show(high));
    }
  }
  return text;
}

std::string interval_text(const Row& row) {
  const auto half = relative_half_width(row);
  return half ? fmt::format("±{:.1f} %", 100 * *half) : "–";
}

// "- qwen3-0.6b q8_0 tg128: load 1.8 s, peak memory 1.10 GiB"
std::string model_results(const Row& row) {
  std::string text = values_text(row);
  if (row.bytes_peak > 0) {
    text += fmt::format("{}peak memory {}", text.empty() ? "" : ", ", show_bytes(row.bytes_peak));
  }
  if (text.empty()) return "";
  return fmt::format("- {} {}: {}\n", model_of(row), test_name(row.work), text);
}

std::string reason_of(const Row& row) {
  std::string text = fmt::format("- {}: {}: {}\n", row.row_key(), name(row.status), row.reason);
  for (const std::string& line : row.stderr_tail) text += fmt::format("  stderr: {}\n", line);
  return text;
}

std::string flags_text(const Row& row) {
  std::string text;
  for (const Flag flag : row.flags) {
    text += (text.empty() ? "" : ", ") + std::string(text_of(flag).name);
    const auto &fast = row.time.mode_low_ns, &slow = row.time.mode_high_ns;
    if (flag == Flag::bimodal && row.rate.value && fast && slow && *fast > 0) {
      const double work = row.cost.rate_work() * 1e9;
      text += fmt::format(" ({} or {})", show_rate(work / *slow, row.rate.unit),
                          show_rate(work / *fast, row.rate.unit));
    }
  }
  return text;
}

}  // namespace

Table::Table(std::vector<std::string> header, std::vector<bool> right) : right_(std::move(right)) {
  right_.resize(header.size(), false);
  lines_.push_back(std::move(header));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(lines_[0].size());
  for (std::string& cell : cells) {
    std::string escaped;
    for (const char c : cell) {
      if (c == '|') escaped += '\\';
      escaped += (c == '\n' || c == '\r') ? ' ' : c;
    }
    cell = std::move(escaped);
  }
  lines_.push_back(std::move(cells));
}

std::string Table::markdown() const {
  std::vector<size_t> widths(lines_[0].size(), 3);
  for (const auto& line : lines_) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  }
  std::string out;
  for (size_t number = 0; number < lines_.size(); ++number) {
    out += '|';
    for (size_t i = 0; i < widths.size(); ++i) {
      out += ' ' + padded(lines_[number][i], widths[i], right_[i]) + " |";
    }
    out += '\n';
    if (number > 0) continue;
    out += '|';
    for (size_t i = 0; i < widths.size(); ++i) {
      out += right_[i] ? std::string(widths[i] + 1, '-') + ":|"
                       : std::string(widths[i] + 2, '-') + '|';
    }
    out += '\n';
  }
  return out;
}

std::string limit_text(const Placement& placement) {
  if (placement.impossible) return "impossible";
  if (!placement.refused.empty() || placement.limits.empty()) return "–";
  const Limit& nearest = placement.limits.front();
  // The row's key names its dtype.
  const std::string what = nearest.kind == Roof::Kind::compute ? "compute" : nearest.name;
  if (nearest.is_roof) return what + ", the roof";
  const double percent = 100 * nearest.share;
  return placement.bound() ? fmt::format("{} {:.0f} %", what, percent)
                           : fmt::format("none ({:.0f} %)", percent);
}

std::string not_supported(const std::vector<std::string>& reasons) {
  std::map<std::string, size_t> counts;
  for (const std::string& reason : reasons) ++counts[reason];
  std::string out;
  for (const auto& [reason, count] : counts) {
    out += fmt::format("- not supported ({} row{}): {}\n", count, count == 1 ? "" : "s", reason);
  }
  return out;
}

std::string rows_table(const Run& run) {
  const std::vector<Row>& rows = run.rows;
  const bool one_worker = std::all_of(rows.begin(), rows.end(), [&](const Row& row) {
    return row.worker == rows.front().worker && row.device == rows.front().device;
  });
  Table table(
      {"work", one_worker ? "how" : "worker, how", "rate", "95 %", "time", "n", "flags", "limit"},
      {false, false, true, true, true, true, false, false});
  const Roofline roofs = roofline({&run});
  ModelTable models(run);
  size_t others = 0;
  std::vector<Flag> seen;
  std::string reasons, results;
  std::vector<std::string> unsupported;
  for (const Row& row : rows) {
    for (const Flag flag : row.flags) {
      if (std::find(seen.begin(), seen.end(), flag) == seen.end()) seen.push_back(flag);
    }
    if (row.status == Status::unsupported) {
      unsupported.push_back(row.worker + ": " + row.reason);
      continue;
    }
    if (model_use(row.work)) {
      const Placement placement = place(roofs, run, row);
      models.add(row, limit_text(placement), flags_text(row));
      if (row.status == Status::ok) results += model_results(row);
      if (row.status != Status::ok) reasons += reason_of(row);
      if (placement.impossible) {
        reasons += fmt::format("- {}: {}\n", row.row_key(), placement.refused);
      }
      continue;
    }
    ++others;
    std::string how = settings_key(row.settings);
    if (!one_worker) how = fmt::format("{}:{} {}", row.worker, row.device, how);
    if (row.status != Status::ok) {
      table.add(
          {row.key(), how, std::string(name(row.status)), "–", "–", "", flags_text(row), "–"});
      reasons += reason_of(row);
      continue;
    }
    table.add({row.key(), how, row.rate.value ? show_rate(*row.rate.value, row.rate.unit) : "–",
               interval_text(row), row.time.median_ns ? show_time(*row.time.median_ns) : "–",
               std::to_string(row.time.n), flags_text(row), limit_text(place(roofs, run, row))});
    if (!row.values.empty()) results += fmt::format("- {}: {}\n", row.key(), values_text(row));
  }
  std::string out = models.empty() ? "" : models.markdown();
  if (others > 0 || models.empty()) out += (out.empty() ? "" : "\n") + table.markdown();
  if (!results.empty()) out += "\n" + results;
  if (!reasons.empty()) out += "\n" + reasons;
  if (!unsupported.empty()) out += "\n" + not_supported(unsupported);
  if (!seen.empty()) out += "\n";
  for (const Flag flag : seen) {
    const FlagText& text = text_of(flag);
    out += fmt::format("- `{}`: {}; {}\n", text.name, text.cause, text.advice);
  }
  return out;
}

}  // namespace ridge
