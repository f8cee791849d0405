#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/sides.h"
#include "cli/context.h"
#include "stats/compare.h"

namespace ridge::cli {

// How stored runs are compared; shared by `ridge compare` and `ridge run --baseline`.
struct CompareRule {
  std::vector<std::string> across;           // names of what may differ; none: version
  double band_percent = 1;                   // differences up to here matter to nobody
  std::optional<double> fail_on_regression;  // percent of more time
  std::string format = "md";
};

stats::SpeedRule speed_rule(const CompareRule& rule);

// Exit code 2, with a complaint, where the rule says what is not known; else 0.
int validate(const CompareRule& rule);

// Compares what was given and prints it. Returns an exit code.
int compare_given(const std::vector<Given>& given, const CompareRule& rule);

// A file, a folder of runs; or the baseline of that name below `root`. Warnings go to stderr.
Result<Given> read_given(const std::string& path);
Result<Given> read_baseline(const std::string& root, const std::string& name);

}  // namespace ridge::cli
