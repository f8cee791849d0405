#include <sys/auxv.h>

#include "cli/own_path.h"

namespace ridge::cli {

std::filesystem::path own_path(const char* argv0) {
  std::error_code error;
  auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) return path;
  // Without /proc: the path that execve was given, which the kernel puts in the auxiliary vector.
  const auto* given = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  path = std::filesystem::canonical(given ? given : argv0, error);
  return error ? std::filesystem::absolute(argv0) : path;
}

}  // namespace ridge::cli
