#include <mach-o/dyld.h>

#include "cli/own_path.h"

namespace ridge::cli {

std::filesystem::path own_path(const char* argv0) {
  char buffer[4096];
  uint32_t size = sizeof buffer;
  if (_NSGetExecutablePath(buffer, &size) == 0) return std::filesystem::canonical(buffer);
  return std::filesystem::absolute(argv0);
}

}  // namespace ridge::cli
