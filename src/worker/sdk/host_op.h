#pragma once

#include <functional>
#include <vector>

#include "worker/sdk/arena.h"
#include "worker/sdk/memory.h"
#include "worker/sdk/worker.h"

namespace ridge::sdk {

// Runs body(begin, end) over [0, count) cut among the threads that will compute, so that each
// touches first what it will use.
using ParallelFor =
    std::function<void(int64_t count, const std::function<void(int64_t, int64_t)>& body)>;

// An Op whose tensors lie row-major in host memory. Derive, and implement run().
class HostOp : public Op {
 public:
  HostOp(const Task& task, Arena& arena, ParallelFor parallel);

  void fill(const InputSource& inputs) override;
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override;

 protected:
  // The tensor's memory in that copy. Throws for an unknown name: look up once, outside run().
  void* data(std::string_view tensor, int64_t copy) const;
  // Called at the end of fill(), for what follows from the inputs: packed weights.
  virtual void filled(int64_t copy) { (void)copy; }
  const Task& task() const { return task_; }
  Arena& arena() { return arena_; }
  int64_t bytes_held() const { return bytes_; }

 private:
  size_t index_of(std::string_view tensor) const;

  Task task_;
  Arena& arena_;
  ParallelFor parallel_;
  std::vector<TensorSpec> specs_;
  std::vector<std::vector<void*>> data_;  // [copy][tensor]
  int64_t bytes_ = 0;
};

// How many copies of `footprint` bytes keep a cache of `cache_bytes` cold: rotating through them
// moves more than twice the cache. At least 2, and 1 where one copy alone is 16 times the cache;
// never more than 4096, nor than fit in half of `memory_bytes`.
int64_t rotation_copies(CacheMode cache, int64_t footprint, int64_t cache_bytes,
                        int64_t memory_bytes);

}  // namespace ridge::sdk
