#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace ridge {

struct SystemCache {
  std::string name;  // "L1"
  double bytes = 0;
};

// Data caches as discovered (a header's `machine`), smallest first.
std::vector<SystemCache> system_caches(const Json& machine);

}  // namespace ridge
