#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/compare_live.h"
#include "store/baseline.h"
#include "store/find_runs.h"

namespace ridge::cli {

int compare(const CompareArgs& args, const Context& context) {
  if (const int wrong = validate(args.rule); wrong != kOk) return wrong;
  if (args.live) {
    if (!args.files.empty() || !args.baseline.empty()) {
      return complain("--live measures its sides anew: it takes no run files, no --baseline",
                      kUsage);
    }
    if (!args.rule.across.empty() || !args.save_baseline.empty()) {
      return complain(fmt::format("{} goes with stored runs, not with --live",
                                  args.save_baseline.empty() ? "--across" : "--save-baseline"),
                      kUsage);
    }
    return compare_live(args, context);
  }
  if (!args.sides.empty()) return complain("--side goes with --live", kUsage);
  if (args.files.empty() && args.baseline.empty()) {
    return complain(
        "compare: name run files, folders of them or --baseline NAME, or measure two "
        "sides with --live (ridge compare --help tells more)",
        kUsage);
  }
  std::vector<Given> given;
  std::vector<std::string> own_files;
  if (!args.baseline.empty()) {
    auto baseline = read_baseline(args.out, args.baseline);
    if (!baseline) return complain(baseline.error().message, kUsage);
    given.push_back(*std::move(baseline));
  }
  for (const std::string& path : args.files) {
    auto one = read_given(path);
    if (!one) return complain(one.error().message, kUsage);
    for (const Run& run : one->runs) own_files.push_back(run.path);
    given.push_back(*std::move(one));
  }
  if (!args.save_baseline.empty()) {
    if (auto saved = save_baseline(args.out, args.save_baseline, own_files); !saved) {
      return complain(saved.error().message, kUsage);
    }
    complain(fmt::format("saved as baseline '{}'", args.save_baseline), kOk);
    if (given.size() == 1 && args.rule.across.empty()) return kOk;  // that was all
  }
  return compare_given(given, args.rule);
}

}  // namespace ridge::cli
