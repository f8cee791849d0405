#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "nameless_file.h"

namespace ridge::llamacpp {

int nameless_file(Lies where) {
  if (where == Lies::in_memory) return ::memfd_create("ridge-model", MFD_CLOEXEC);
  const std::string folder = std::filesystem::temp_directory_path().string();
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;
  std::string path = folder + "/ridge-model-XXXXXX";  // not all file systems have O_TMPFILE
  const int named = ::mkstemp(path.data());
  if (named >= 0) ::unlink(path.c_str());
  return named;
}
std::string path_of(int file) { return fmt::format("/proc/self/fd/{}", file); }

}  // namespace ridge::llamacpp
