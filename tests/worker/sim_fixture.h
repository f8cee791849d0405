#pragma once

#include <cstdlib>
#include <initializer_list>
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

inline ridge::Settings hot() { return {.cache = ridge::CacheMode::hot}; }

}  // namespace sim_test
