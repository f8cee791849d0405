#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "worker/client.h"

// The simulated worker (tests/worker/sim) as tests in C++ start it: paths::worker() is its path.
namespace sim_test {

// Environment variables of the workers that are started while it lives.
class Environment {
 public:
  using Variable = std::pair<std::string, std::string>;
  Environment(std::initializer_list<Variable> values) : values_(values) {
    for (const auto& [name, value] : values_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : values_) ::unsetenv(name.c_str());
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::vector<Variable> values_;
};

// Far longer than any honest answer takes on a busy machine: only a hang meets it.
inline constexpr double kPatience = 60;

inline ridge::Workload gemm(int64_t m, int64_t n, int64_t k,
                            ridge::DType dtype = ridge::DType::f32) {
  return ridge::Gemm{.dtype = dtype, .m = m, .n = n, .k = k};
}

// Until every thread of the process is stopped: signals take effect when a processor hears of them.
inline void wait_until_stopped(int64_t pid) {
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  const auto is_stopped = [](const std::filesystem::path& task) {
    std::ifstream file(task / "stat");
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    const size_t name_ends = stat.rfind(") ");
    return name_ends == std::string::npos || stat[name_ends + 2] == 'T';
  };
  std::error_code none;
  for (int i = 0; i < 1000; ++i) {
    bool all = true;
    for (const auto& task : std::filesystem::directory_iterator(tasks, none)) {
      all &= is_stopped(task.path());
    }
    ::usleep(50'000);  // where there is no /proc, this has to do
    if (all) return;
  }
}

inline ridge::Settings hot() { return {.cache = ridge::CacheMode::hot}; }

}  // namespace sim_test
