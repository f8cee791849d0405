#include "machine/build_info.h"

#include <fmt/format.h>

namespace ridge::machine {

Build build_info() {
  Build build;
  build.compiler = RIDGE_COMPILER;  // these four macros: CMakeLists.txt
  build.build_type = RIDGE_BUILD_TYPE;
  build.json_version = RIDGE_JSON_VERSION;
  build.fmt_version =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  build.hwloc_version = RIDGE_HWLOC_VERSION;
  build.git = Known<std::string>::unknown("not built in a git checkout");
  build.dirty = Known<bool>::unknown("not built in a git checkout");
  return build;
}

}  // namespace ridge::machine
