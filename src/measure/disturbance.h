#pragma once

#include <cstdint>
#include <optional>

#include "machine/cpu_time.h"

namespace ridge {

// Watches what else the machine does while a worker is timed: from construction to the question.
class Disturbance {
 public:
  explicit Disturbance(int64_t worker_pid);

  struct Found {
    bool contended = false;  // others, or the hypervisor, took more than 5 % of a processor
    bool swapping = false;
  };
  Found so_far() const;

 private:
  int64_t worker_pid_;
  std::optional<CpuTime> machine_;
  std::optional<double> worker_s_;
  double own_s_ = 0;
  double began_s_ = 0;
};

}  // namespace ridge
