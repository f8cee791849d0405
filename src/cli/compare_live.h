#pragma once

#include "cli/commands.h"

namespace ridge::cli {

// `ridge compare --live`: measures two sides in turn, keeps a run file a side, and judges.
int compare_live(const CompareArgs& args, const Context& context);

}  // namespace ridge::cli
