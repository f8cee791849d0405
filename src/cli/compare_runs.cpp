#include "cli/compare_runs.h"

#include <fmt/format.h>

#include "analyze/compare.h"
#include "analyze/recommend.h"
#include "cli/commands.h"
#include "cli/run_files.h"
#include "report/compare_md.h"
#include "store/baseline.h"
#include "store/find_runs.h"

namespace ridge::cli {
namespace {

bool regressed(const Comparison& comparison, double percent) {
  for (const Pair& pair : comparison.pairs) {
    if (pair.verdict == stats::SpeedVerdict::slower && pair.ratio &&
        1 / *pair.ratio - 1 > percent / 100) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<Given> read_given(const std::string& path) {
  auto runs = read_runs(path);
  if (!runs) return runs.error();
  for (const Run& run : *runs) warn(run.warnings);
  return Given{path, *std::move(runs)};
}

Result<Given> read_baseline(const std::string& root, const std::string& name) {
  auto folder = baseline_folder(root, name);
  if (!folder) return folder.error();
  auto given = read_given(*folder);
  if (!given) {
    return Error{fmt::format("there is no baseline '{}' (--save-baseline makes one): {}", name,
                             given.error().message)};
  }
  given->label = fmt::format("baseline {}", name);
  return given;
}

stats::SpeedRule speed_rule(const CompareRule& rule) {
  stats::SpeedRule speed;
  speed.least_band = rule.band_percent / 100;
  speed.most_band = std::max(speed.most_band, speed.least_band);
  return speed;
}

int validate(const CompareRule& rule) {
  for (const std::string& text : rule.across) {
    if (!parse_across(text)) {
      return complain(fmt::format("--across '{}' (known: {})", text, fmt::join(kAcrossNames, ", ")),
                      kUsage);
    }
  }
  if (rule.format != "md" && rule.format != "json") {
    return complain(fmt::format("--format '{}' (known: md, json)", rule.format), kUsage);
  }
  return kOk;
}

int compare_given(const std::vector<Given>& given, const CompareRule& rule) {
  if (const int wrong = validate(rule); wrong != kOk) return wrong;
  std::vector<Across> across;
  for (const std::string& text : rule.across) across.push_back(*parse_across(text));
  if (across.empty()) across = {Across::version};
  const Sides found = sides(given, across);
  if (found.labels.size() < 2) {
    return complain(
        fmt::format("nothing to compare: {}",
                    found.labels.empty()
                        ? "there are no rows"
                        : fmt::format("all rows are on one side ({}); name another run, or what "
                                      "differs with --across {}",
                                      found.labels[0], fmt::join(kAcrossNames, "|"))),
        kUsage);
  }
  const Comparison comparison = compare(found, across, rooflines(given), speed_rule(rule));
  const auto recommended = recommend(given);
  const auto supported = support(given);
  const std::string text = rule.format == "md"
                               ? comparison_markdown(comparison, recommended, supported)
                               : comparison_json(comparison, recommended, supported).dump(2) + "\n";
  if (!print_result(text)) return kFailed;
  return rule.fail_on_regression && regressed(comparison, *rule.fail_on_regression) ? kRegression
                                                                                    : kOk;
}

}  // namespace ridge::cli
