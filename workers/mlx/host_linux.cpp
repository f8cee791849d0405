#include "host.h"
#include "topology.h"

namespace ridge::mlx_worker {

// Which processors a process may use is found out alike by all workers.
Host read_host() {
  const cpu::Topology topology = cpu::read_topology();
  return {.cpu_name = topology.cpu_name,
          .memory_bytes = topology.memory_bytes,
          .cache_bytes = topology.cache_bytes,
          .cores = static_cast<int>(topology.cores.size())};
}

}  // namespace ridge::mlx_worker
