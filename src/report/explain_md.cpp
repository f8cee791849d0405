#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/units.h"
#include "report/explain.h"
#include "report/series_md.h"
#include "report/table.h"

namespace ridge {
namespace {

std::string text_of(const Json* object, std::string_view key) {
  const Json* value = object ? object->find(key) : nullptr;
  if (!value) return "";
  if (value->is_string()) return value->as_string();
  return value->is_int() ? std::to_string(value->as_int()) : "";
}

std::string counted(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string threads_text(int threads) {
  return threads == 0 ? "all cores" : counted(static_cast<size_t>(threads), "thread");
}

std::string roof_title(const Roof& roof) {
  if (roof.kind == Roof::Kind::compute) return "compute " + roof.operation;
  if (roof.kind == Roof::Kind::memory) return roof.level + " " + roof.operation;
  if (roof.kind == Roof::Kind::file) return roof.level + " file " + roof.operation;
  return fmt::format("{} ({})", roof.operation, roof.worker);
}

std::string half_width(const stats::Estimate& rate) {
  return rate.interval.width() > 0 ? fmt::format("±{:.1f} %", 100 * rate.relative_half_width())
                                   : "–";
}

// Compute, memory from the nearest level on, calls, files; all cores first.
std::vector<size_t> in_order(const Roofline& roofline) {
  const auto level = [&](const Roof& roof) {
    for (size_t i = 0; i < roofline.levels.size(); ++i) {
      const CacheLevel& one = roofline.levels[i];
      if (one.device == roof.device && one.threads == roof.threads && one.name == roof.level) {
        return i;
      }
    }
    return roofline.levels.size();
  };
  std::vector<size_t> order(roofline.roofs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) {
    const auto rank = [&](const Roof& roof) {
      return std::tuple(roof.device, roof.threads, roof.kind, level(roof));
    };
    return rank(roofline.roofs[x]) < rank(roofline.roofs[y]);
  });
  return order;
}

std::string roofs_table(const Explanation& all) {
  const auto& roofs = all.roofline.roofs;
  const bool one_device = std::all_of(roofs.begin(), roofs.end(), [&](const Roof& roof) {
    return roof.device == roofs.front().device;
  });
  Table table({"roof", "with", "rate", "95 %", "published", "for this chip", "from"},
              {false, false, true, true, true, false, false});
  for (const size_t i : in_order(all.roofline)) {
    const Roof& roof = roofs[i];
    const ChipVerdict& verdict = all.verdicts[i];
    std::string from = roof.from;
    if (all.runs.size() > 1) from += " in " + roof.run;
    table.add({one_device ? roof_title(roof) : fmt::format("{} {}", roof.device, roof_title(roof)),
               threads_text(roof.threads), show_rate(roof.rate.value, unit_of(roof)),
               half_width(roof.rate),
               verdict.published ? show_rate(*verdict.published, unit_of(roof)) : "–", verdict.says,
               from});
  }
  return table.markdown();
}

std::string machine_text(const Explanation& all) {
  const Header& header = all.runs.back()->header;
  const Json* cpu = header.machine.find("cpu");
  const Json* memory = header.machine.find("memory");
  const Json* bytes = memory ? memory->find("total_bytes") : nullptr;
  std::string out = fmt::format("## {}\n\n", header.machine_key);
  std::vector<std::string> facts;
  if (const std::string model = text_of(cpu, "model"); !model.empty()) facts.push_back(model);
  if (const std::string cores = text_of(cpu, "cores"); !cores.empty()) {
    facts.push_back(cores + " cores");
  }
  if (bytes && bytes->is_int()) facts.push_back(show_bytes(bytes->as_int()));
  out += fmt::format("{}{}{}, {} to {}", fmt::join(facts, ", "), facts.empty() ? "" : "; ",
                     counted(all.runs.size(), "run"), all.runs.front()->header.started_utc,
                     header.started_utc);
  if (all.measured_again > 0) {
    out += fmt::format("; {} measured again later: the latest is shown, roofs come from all",
                       counted(all.measured_again, "row"));
  }
  out += ".\n\n";
  for (const DeviceChip& device : all.chips) {
    const ChipMatch& match = device.match;
    if (match.chip) {
      out += fmt::format("- {}: {} {}\n", device.device, match.chip->vendor, match.chip->name);
      continue;
    }
    out += fmt::format(
        "- {}: unknown chip, so no share of published figures: {}{}\n", device.device, match.reason,
        match.candidates.empty() ? ""
                                 : fmt::format("; nearest: {}", fmt::join(match.candidates, ", ")));
  }
  return out;
}

std::string ridges_text(const Explanation& all) {
  std::map<std::pair<std::string, int>, std::string> lines;
  for (const RidgePoint& ridge : all.ridges) {
    std::string& line = lines[{ridge.device, ridge.threads}];
    line += fmt::format("{}{} {:.3g}", line.empty() ? "" : ", ", ridge.dtype, ridge.flop_per_byte);
  }
  std::string out;
  for (const auto& [where, line] : lines) {
    out += fmt::format("- {}, {}: {}\n", where.first, threads_text(where.second), line);
  }
  return out.empty() ? ""
                     : "\nRidge points, FLOP for each byte read from memory (below, memory binds "
                       "a product):\n\n" +
                           out;
}

// What rows tell together (series_md.h), of the rows shown.
std::string caches_text(const Explanation& all) {
  Run merged;
  merged.header.machine = all.runs.back()->header.machine;
  for (const ExplainedRow& one : all.rows) {
    if (std::holds_alternative<Dispatch>(one.row->work) ||
        std::holds_alternative<WorkingSet>(one.row->work)) {
      merged.rows.push_back(*one.row);
    }
  }
  std::string out = series_text(merged);
  if (out.find("\nCaches\n") != std::string::npos) return out;
  std::string told;
  for (const CacheLevel& level : all.roofline.levels) {
    if (level.threads != 0) continue;
    told += fmt::format("{}{} {} {}", told.empty() ? "" : ", ", level.device, level.name,
                        show_bytes(static_cast<int64_t>(level.bytes)));
  }
  if (!told.empty()) {
    out += fmt::format(
        "\nCaches, as the system tells them: {} in all. Measure them with "
        "`ridge run --suite caches`.\n",
        told);
  }
  return out;
}

std::string near_text(const Limit& limit) {
  if (limit.is_roof) return "";
  const double low = 100 * limit.share_range.lo, high = 100 * limit.share_range.hi;
  return high > low ? fmt::format("{:.0f} to {:.0f} %", low, high) : "–";
}

std::string help_text(const ExplainedRow& one) {
  const Placement& place = one.placement;
  if (!place.refused.empty()) return place.refused;
  const Limit& nearest = place.limits.front();
  if (place.bound() || nearest.kind == Roof::Kind::file) return one.advice;
  if (nearest.share_range.hi >= kBoundFrom) {
    return "unclear: its interval reaches what binds; measure again with --rigorous; " + one.advice;
  }
  return fmt::format("×{:.2g} left on the table by the library; {}", 1 / nearest.share, one.advice);
}

std::string rows_text(const Explanation& all) {
  const auto& rows = all.rows;
  const bool one_worker = std::all_of(rows.begin(), rows.end(), [&](const ExplainedRow& one) {
    return one.row->worker == rows.front().row->worker &&
           one.row->device == rows.front().row->device;
  });
  Table table({"work", one_worker ? "how" : "worker, how", "rate", "limit", "95 %", "next",
               "what would help"},
              {false, false, true, false, true, false, false});
  size_t unsupported = 0;
  for (const ExplainedRow& one : rows) {
    const Row& row = *one.row;
    if (row.status == Status::unsupported) {
      ++unsupported;
      continue;
    }
    const auto& limits = one.placement.limits;
    std::string how = settings_key(row.settings), next;
    if (!one_worker) how = fmt::format("{}:{} {}", row.worker, row.device, how);
    // Where none binds, the nearest is the next one.
    const size_t second = one.placement.bound() ? 1 : 0;
    if (limits.size() > second) {
      next = fmt::format("{} {:.0f} %", limits[second].name, 100 * limits[second].share);
    }
    table.add({row.key(), how, row.rate.value ? show_rate(*row.rate.value, row.rate.unit) : "–",
               limit_text(one.placement), limits.empty() ? "" : near_text(limits.front()), next,
               help_text(one)});
  }
  std::string out = table.markdown();
  if (unsupported > 0) out += fmt::format("\n{} not supported.\n", counted(unsupported, "row"));
  return out;
}

// Rows that are not what they are called, before all else.
std::string findings_text(const Explanation& all) {
  std::string out;
  for (const std::string& finding : all.findings) out += fmt::format("- {}\n", finding);
  return out.empty() ? "" : "\nRefused:\n\n" + out;
}

// Which products the models' were held against.
std::string products_text(const Explanation& all) {
  std::vector<std::pair<std::string, std::string>> told;  // of a format, why
  for (const ExplainedRow& one : all.rows) {
    for (const Limit& limit : one.placement.limits) {
      if (limit.why.empty()) continue;
      std::pair<std::string, std::string> line{operation(one.row->work), limit.why};
      if (std::find(told.begin(), told.end(), line) == told.end()) told.push_back(line);
    }
  }
  std::string out;
  for (const auto& [format, why] : told) {
    out += fmt::format("- models in {}: products in {}\n", format, why);
  }
  return out.empty() ? "" : "\nWhich products models are held against:\n\n" + out;
}

}  // namespace

std::string explain_markdown(const Explanation& explanation) {
  std::string out = machine_text(explanation) + findings_text(explanation);
  out += "\nRoofs: the best that rows reached here\n\n" + roofs_table(explanation);
  out += ridges_text(explanation) + caches_text(explanation);
  out += fmt::format("\nRows: \"none\" is below {:.0f} % of every roof above it\n\n",
                     100 * kBoundFrom);
  return out + rows_text(explanation) + products_text(explanation);
}

}  // namespace ridge
