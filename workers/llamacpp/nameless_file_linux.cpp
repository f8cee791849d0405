#include <fmt/format.h>
#include <sys/mman.h>

#include "nameless_file.h"

namespace ridge::llamacpp {

int nameless_file() { return ::memfd_create("ridge-model", MFD_CLOEXEC); }
std::string path_of(int file) { return fmt::format("/proc/self/fd/{}", file); }

}  // namespace ridge::llamacpp
