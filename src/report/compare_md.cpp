#include "report/compare_md.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/units.h"
#include "report/table.h"

namespace ridge {
namespace {

constexpr size_t kMostKeysTold = 5;

std::string percent(double part) { return fmt::format("{:.1f} %", 100 * part); }

// "1.002", "0.874", "12.3"
std::string number_text(double ratio) {
  return ratio < 10 ? fmt::format("{:.3f}", ratio) : fmt::format("{:.3g}", ratio);
}
std::string ratio_text(double ratio) { return number_text(ratio) + "x"; }

// Sides are long names: a letter stands for each of the first.
std::string letter(size_t side) {
  return side < 26 ? std::string(1, static_cast<char>('A' + side)) : fmt::format("side {}", side);
}

std::string interval_text(const std::optional<stats::Speedup>& speedup) {
  if (!speedup) return "–";
  return fmt::format("{} to {}", number_text(speedup->ratio.interval.lo),
                     number_text(speedup->ratio.interval.hi));
}

std::string limit_text(const std::optional<Limit>& limit) {
  if (!limit) return "no roof";
  if (limit->share < kBoundFrom) return fmt::format("none ({:.0f} %)", 100 * limit->share);
  return fmt::format("{} {:.0f} %", limit->name, 100 * limit->share);
}

std::string why_text(const Pair& pair) {
  const std::string a = limit_text(pair.a_limit), b = limit_text(pair.b_limit);
  return a == b ? a : a + " → " + b;
}

std::string verdict_text(stats::SpeedVerdict verdict, const std::string& note) {
  std::string text(name(verdict));
  return note.empty() ? text : text + ": " + note;
}

std::string time_text(const std::optional<double>& ns) { return ns ? show_time(*ns) : "–"; }

// Reasons with how often each was given and the first few keys.
std::string refused_text(const Comparison& comparison) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Pair& pair : comparison.pairs) {
    if (!pair.refused.empty()) by_reason[pair.refused].push_back(pair.key);
  }
  std::string out;
  for (const auto& [reason, keys] : by_reason) {
    out += fmt::format("- not compared ({} row{}): {}", keys.size(), keys.size() == 1 ? "" : "s",
                       reason);
    for (size_t i = 0; i < std::min(keys.size(), kMostKeysTold); ++i) {
      out += (i == 0 ? ": " : ", ") + keys[i];
    }
    out += keys.size() > kMostKeysTold ? ", …\n" : "\n";
  }
  return out;
}

std::string pairs_table(const Comparison& comparison) {
  const bool many = comparison.labels.size() > 2;
  std::vector<std::string> header = {
      "work", "A", many ? "other" : "B", "it is", "95 %", "roofs say", "verdict", "band", "limits"};
  std::vector<bool> right = {false, true, true, true, true, true, false, true, false};
  if (many) {
    header.insert(header.begin() + 1, "side");
    right.insert(right.begin() + 1, false);
  }
  Table table(header, right);
  size_t lines = 0;
  for (const Pair& pair : comparison.pairs) {
    if (!pair.refused.empty()) continue;
    std::vector<std::string> cells = {pair.key,
                                      time_text(pair.a_ns),
                                      time_text(pair.b_ns),
                                      pair.ratio ? ratio_text(*pair.ratio) : "–",
                                      interval_text(pair.speedup),
                                      pair.predicted ? ratio_text(*pair.predicted) : "–",
                                      verdict_text(pair.verdict, pair.note),
                                      pair.speedup ? "±" + percent(pair.band) : "–",
                                      why_text(pair)};
    if (many) {
      cells.insert(cells.begin() + 1, letter(pair.side) + ": " + comparison.labels[pair.side]);
    }
    table.add(std::move(cells));
    ++lines;
  }
  return lines == 0 ? "nothing to compare\n" : table.markdown();
}

std::string counts_text(const Comparison& comparison) {
  std::map<stats::SpeedVerdict, size_t> counts;
  for (const Pair& pair : comparison.pairs) counts[pair.verdict] += pair.refused.empty() ? 1 : 0;
  using enum stats::SpeedVerdict;
  return fmt::format("{} FASTER, {} SLOWER, {} SAME, {} UNCLEAR\n", counts[faster], counts[slower],
                     counts[same], counts[unclear]);
}

std::string means_text(const Comparison& comparison) {
  std::string out;
  const bool workers = std::find(comparison.across.begin(), comparison.across.end(),
                                 Across::worker) != comparison.across.end();
  for (const BoundGroup& group : comparison.means) {
    out += fmt::format(
        "- {} is {} in the mean of {} rows {} on both sides ({} to {})", letter(group.side),
        ratio_text(group.geometric_mean), group.pairs,
        group.bound.starts_with("no ") ? "with " + group.bound : "bound by " + group.bound,
        number_text(group.least), number_text(group.most));
    if (workers) {
      out +=
          fmt::format("; framework tax (its time / A's) {}", ratio_text(1 / group.geometric_mean));
    }
    out += '\n';
  }
  return out;
}

std::string recommended_text(const std::vector<Recommendation>& recommended) {
  if (recommended.empty()) return "";
  const auto machine = [](const Member& m) { return m.run->header.machine_key; };
  const bool machines =
      std::any_of(recommended.begin(), recommended.end(), [&](const Recommendation& r) {
        return machine(r.best) != machine(recommended.front().best) ||
               machine(r.next) != machine(recommended.front().best);
      });
  Table table({"job", "fastest", "time", "next", "margin", "95 %", "sure?"},
              {false, false, true, false, true, true, false});
  for (const Recommendation& r : recommended) {
    table.add({r.job, describe(r.best, machines), time_text(r.best.row->time.median_ns),
               describe(r.next, machines), ratio_text(r.margin), interval_text(r.speedup),
               r.verdict == stats::SpeedVerdict::faster ? "yes" : "no"});
  }
  return "\nWhich for which job (formats of lower precision answer less exactly):\n\n" +
         table.markdown();
}

std::string support_text(const SupportMatrix& support) {
  if (support.columns.size() < 2) return "";
  std::vector<std::string> header = {"work"};
  header.insert(header.end(), support.columns.begin(), support.columns.end());
  Table table(header);
  for (size_t r = 0; r < support.rows.size(); ++r) {
    std::vector<std::string> line = {support.rows[r]};
    for (const auto& cell : support.cells[r]) {
      if (!cell) {
        line.push_back("–");
      } else if (cell->unsupported + cell->failed + cell->incorrect == 0) {
        line.push_back("yes");
      } else {
        line.push_back(fmt::format("{}{}", cell->ok > 0 ? fmt::format("{} rows; ", cell->ok) : "",
                                   cell->reason));
      }
    }
    table.add(std::move(line));
  }
  return "\nWhat each does:\n\n" + table.markdown();
}

}  // namespace

std::string comparison_markdown(const Comparison& comparison,
                                const std::vector<Recommendation>& recommended,
                                const SupportMatrix& support) {
  std::string out;
  for (size_t i = 0; i < comparison.labels.size(); ++i) {
    out += fmt::format("{}: {}\n", letter(i), comparison.labels[i]);
  }
  out += "\n" + pairs_table(comparison) + "\n" + counts_text(comparison);
  out +=
      "2x is twice as fast as A. SAME: the whole interval lies within the band, which is "
      "what "
      "the noise forces. FASTER and SLOWER are corrected (Holm) for the number of rows.\n";
  for (const std::string& list : {means_text(comparison), refused_text(comparison)}) {
    if (!list.empty()) out += "\n" + list;
  }
  if (!comparison.remarks.empty()) out += "\n";
  for (const std::string& remark : comparison.remarks) {
    out += fmt::format("- also different: {}\n", remark);
  }
  return out + recommended_text(recommended) + support_text(support);
}

}  // namespace ridge
