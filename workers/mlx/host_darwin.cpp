#include <sys/sysctl.h>

#include "host.h"

namespace ridge::mlx_worker {
namespace {

int64_t number(const char* name) {
  int64_t value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

Host read_host() {
  char name[256] = "unknown processor";
  size_t size = sizeof name;
  sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0);
  // The system-level cache behind L2 is not told; the largest Apple has built is of 96 MiB.
  return {.cpu_name = name,
          .memory_bytes = number("hw.memsize"),
          .cache_bytes = int64_t{96} << 20,
          .cores = static_cast<int>(number("hw.physicalcpu"))};
}

}  // namespace ridge::mlx_worker
