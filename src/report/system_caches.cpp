#include "report/system_caches.h"

#include <fmt/format.h>

#include <algorithm>

namespace ridge {

std::vector<SystemCache> system_caches(const Json& machine) {
  std::vector<SystemCache> out;
  const Json* cpu = machine.is_object() ? machine.find("cpu") : nullptr;
  const Json* list = cpu && cpu->is_object() ? cpu->find("caches") : nullptr;
  if (!list || !list->is_array()) return out;
  for (const Json& entry : list->as_array()) {
    int64_t level = 0, bytes = 0;
    std::string type;
    Fields fields(entry, "cache");
    fields.optional("level", level).optional("bytes", bytes).optional("type", type);
    if (!fields.done(Fields::Unknown::allow) || type == "instruction" || bytes <= 0) continue;
    out.push_back({fmt::format("L{}", level), static_cast<double>(bytes)});
  }
  std::sort(out.begin(), out.end(),
            [](const SystemCache& x, const SystemCache& y) { return x.bytes < y.bytes; });
  return out;
}

}  // namespace ridge
