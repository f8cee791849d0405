#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "nameless_file.h"

namespace ridge::llamacpp {

int nameless_file(Lies) {
  std::string path = std::filesystem::temp_directory_path().string() + "/ridge-model-XXXXXX";
  const int file = ::mkstemp(path.data());
  if (file >= 0) ::unlink(path.c_str());
  return file;
}
std::string path_of(int file) { return fmt::format("/dev/fd/{}", file); }

}  // namespace ridge::llamacpp
