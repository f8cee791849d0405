#pragma once

#include "machine/machine.h"

namespace ridge::machine {

// Limits of the control groups we are in, versions 1 and 2: the tightest along the whole path, as
// far up as this mount shows it. Unknown, with a reason, where nothing limits us.
Known<int64_t> cgroup_memory_limit_bytes(const Sources& sources);
Known<double> cgroup_cpu_quota_cores(const Sources& sources);

}  // namespace ridge::machine
