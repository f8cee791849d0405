#include "host.h"

#include <ATen/Parallel.h>
#include <omp.h>
#include <sched.h>

namespace ridge::torch {
namespace {

void keep_this_thread_to([[maybe_unused]] const std::vector<int>& processors,
                         [[maybe_unused]] int count) {
#ifdef __linux__
  // A refusal (a changed cpuset) is no error.
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (int i = 0; i < count; ++i) CPU_SET(processors[static_cast<size_t>(i)], &mask);
  sched_setaffinity(0, sizeof mask, &mask);
#endif
}

}  // namespace

void Host::start(int threads) {
  if (active_ != 0) park();
  at::set_num_threads(threads);
#pragma omp parallel num_threads(threads)
  keep_this_thread_to(topology_.cores, threads);
  active_ = threads;
}

void Host::park() {
  omp_pause_resource_all(omp_pause_soft);
  active_ = 0;
}

}  // namespace ridge::torch
