#include "workload/kinds/sustained.h"

#include <fmt/format.h>

namespace ridge {

Result<void> validate(const Sustained& sustained) {
  if (sustained.seconds < 2 || sustained.seconds > 86'400) {
    return Error{
        fmt::format("sustained: seconds must lie in 2 to 86400, found {}", sustained.seconds)};
  }
  return validate(sustained.gemm);
}

std::string work_key(const Sustained& sustained) {
  return fmt::format("sustained/{}s/{}", sustained.seconds,
                     work_key(sustained.gemm).substr(Gemm::kind.size() + 1));
}

}  // namespace ridge
