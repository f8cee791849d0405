#include "team.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <exception>

namespace ridge::cpu {
namespace {

constexpr int64_t kGrain = 64;      // elements: a share begins on a cache line for any dtype
constexpr int64_t kAtOnce = 16384;  // elements that are not worth waking a team for

void pin_this_thread([[maybe_unused]] int core) {
#ifdef __linux__
  // hwloc would do the same through one more library; a refusal (a changed cpuset) is no error.
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(core, &mask);
  pthread_setaffinity_np(pthread_self(), sizeof mask, &mask);
#endif
}

}  // namespace

Team::Team(std::vector<int> cores) : cores_(std::move(cores)) { omp_set_dynamic(0); }

void Team::start(int threads) {
  omp_set_num_threads(threads);
  // libgomp ends the threads that a smaller team has no use for: whoever is there now is pinned.
#pragma omp parallel num_threads(threads)
  pin_this_thread(cores_[static_cast<size_t>(omp_get_thread_num())]);
  active_ = threads;
}

void Team::parallel_for(int threads, int64_t count,
                        const std::function<void(int64_t, int64_t)>& body) {
  use(threads);
  if (threads == 1 || count <= kAtOnce) return body(0, count);
  std::exception_ptr failure;
#pragma omp parallel num_threads(threads)
  try {
    const auto [begin, end] = share_of(count, kGrain, threads, omp_get_thread_num());
    if (begin < end) body(begin, end);
  } catch (...) {
#pragma omp critical
    failure = std::current_exception();
  }
  if (failure) std::rethrow_exception(failure);
}

void Team::park() {
  omp_pause_resource_all(omp_pause_soft);
  active_ = 0;
}

}  // namespace ridge::cpu
