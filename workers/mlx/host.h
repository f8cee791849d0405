#pragma once

#include <cstdint>
#include <string>

namespace ridge::mlx_worker {

struct Host {
  std::string cpu_name;
  int64_t memory_bytes = 0;
  int64_t cache_bytes = 0;  // of the last level, all that this process's cores reach; 0: unknown
  int cores = 1;            // physical, that this process may use
};

Host read_host();

}  // namespace ridge::mlx_worker
