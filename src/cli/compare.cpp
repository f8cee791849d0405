#include "cli/commands.h"
#include "cli/compare_live.h"

namespace ridge::cli {

int compare(const CompareArgs& args, const Context& context) {
  if (args.live) return compare_live(args, context);
  return complain("compare needs --live: run files are compared by `ridge compare A B`", kUsage);
}

}  // namespace ridge::cli
