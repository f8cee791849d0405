#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace ridge::cpu {

// The OpenMP threads of this process, which oneDNN computes with too: one a physical core, pinned.
// Used from the main thread alone.
class Team {
 public:
  explicit Team(std::vector<int> cores);

  int cores() const { return static_cast<int>(cores_.size()); }
  // Threads for a setting: 0 means all cores.
  int threads_for(int setting) const { return setting == 0 ? cores() : setting; }

  // Makes the next parallel regions, ours or the library's, run on `threads` pinned threads.
  // Costs nothing while the number stays the same.
  void use(int threads) {
    if (threads != active_) start(threads);
  }
  int active() const { return active_; }

  // Cuts [0, count) as share_of does and runs the parts on `threads` threads; small work at once.
  void parallel_for(int threads, int64_t count, const std::function<void(int64_t, int64_t)>& body);

  // parallel_for on `threads`, as the SDK's ops take it.
  std::function<void(int64_t, const std::function<void(int64_t, int64_t)>&)> filler(int threads) {
    return [this, threads](int64_t count, const std::function<void(int64_t, int64_t)>& body) {
      parallel_for(threads, count, body);
    };
  }

  // Ends the threads but this one, so that none spins. The next use() starts them anew.
  void park();

 private:
  void start(int threads);

  std::vector<int> cores_;
  int active_ = 0;
};

// The part of [0, count) that thread `index` of `threads` works on: whole grains, contiguous.
inline std::pair<int64_t, int64_t> share_of(int64_t count, int64_t grain, int threads, int index) {
  const int64_t grains = (count + grain - 1) / grain;
  const int64_t begin = grains * index / threads * grain;
  const int64_t end = grains * (index + 1) / threads * grain;
  return {begin < count ? begin : count, end < count ? end : count};
}

}  // namespace ridge::cpu
