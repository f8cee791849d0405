#pragma once

#include <string>

#include "cli/commands.h"
#include "measure/live.h"

namespace ridge::cli {

// What --side asks for, and what its workers are to be asked.
struct SideChoice {
  std::string label;  // as typed; "as it is" without --side
  LiveSide side;
};

// "worker=cpu,form=packed" applied to the items and workers of `resolved`: worker, device, build,
// or any setting. An error names what is unknown, wrong or not found.
Result<SideChoice> resolve_side(const std::string& text, const Resolved& resolved,
                                const Context& context);

}  // namespace ridge::cli
