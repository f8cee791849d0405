#include "measure/disturbance.h"

#include <unistd.h>

#include <chrono>

namespace ridge {
namespace {

constexpr double kTolerated = 0.05;  // of one processor
constexpr double kTick = 0.03;       // s: the counts are coarse, three of them add up

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Disturbance::Disturbance(int64_t worker_pid)
    : worker_pid_(worker_pid),
      machine_(cpu_time({})),
      worker_s_(process_cpu_s({}, worker_pid)),
      own_s_(process_cpu_s({}, ::getpid()).value_or(0)),
      began_s_(now_s()) {}

Disturbance::Found Disturbance::so_far() const {
  const auto machine = cpu_time({});
  const auto worker_s = process_cpu_s({}, worker_pid_);
  if (!machine_ || !machine || !worker_s_ || !worker_s) return {};
  const double own_s = process_cpu_s({}, ::getpid()).value_or(own_s_) - own_s_;
  const double others = (machine->busy_s - machine_->busy_s) +
                        (machine->steal_s - machine_->steal_s) - (*worker_s - *worker_s_) - own_s;
  return {others > kTolerated * (now_s() - began_s_) + kTick,
          machine->swapped_pages > machine_->swapped_pages};
}

}  // namespace ridge
