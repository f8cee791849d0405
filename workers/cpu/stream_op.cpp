#include "stream_op.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>

#include "stream_kernels.h"

namespace ridge::cpu {
namespace {

constexpr int64_t kGrain = 64;  // elements: the 256 bytes that every array is a multiple of
}  // namespace

StreamOp::StreamOp(const sdk::Task& task, sdk::Arena& arena, Team& team)
    : HostOp(task, arena, team.filler(team.threads_for(task.settings.threads))),
      team_(team),
      stream_(std::get<Stream>(task.work)),
      asked_threads_(team.threads_for(task.settings.threads)) {
  // A partial sum is made by one thread; a thread without a share is not woken.
  const int64_t grain = stream_.op == Stream::Op::read ? Stream::chunk : kGrain;
  const int64_t grains = (stream_.elements() + grain - 1) / grain;
  threads_ = static_cast<int>(std::min<int64_t>(asked_threads_, grains));
  for (int i = 0; i < threads_; ++i) {
    shares_.push_back(share_of(stream_.elements(), grain, threads_, i));
  }
  const auto input = [&](const char* name, int64_t copy) {
    for (const TensorSpec& spec : tensors(task.work)) {
      if (spec.name == name) return static_cast<float*>(data(name, copy));
    }
    return static_cast<float*>(nullptr);
  };
  for (int64_t copy = 0; copy < task.copies; ++copy) {
    float* c = input(stream_.op == Stream::Op::read ? "sum" : "c", copy);
    arrays_.push_back({input("a", copy), input("b", copy), input("s", copy), c});
  }
}

void StreamOp::run_share(const Arrays& x, int64_t begin, int64_t end) const {
  const int64_t count = end - begin;
  switch (stream_.op) {
    case Stream::Op::read: stream_read(x.a + begin, count, x.c + begin / Stream::chunk); break;
    case Stream::Op::write: stream_write(*x.s, x.c + begin, count, stream_.nontemporal); break;
    case Stream::Op::copy: stream_copy(x.a + begin, x.c + begin, count, stream_.nontemporal); break;
    case Stream::Op::triad:
      stream_triad(x.a + begin, x.b + begin, *x.s, x.c + begin, count, stream_.nontemporal);
      break;
  }
}

void StreamOp::run(int64_t copy) {
  const Arrays& arrays = arrays_[static_cast<size_t>(copy)];
  if (threads_ == 1) return run_share(arrays, 0, stream_.elements());
  team_.use(threads_);
#pragma omp parallel num_threads(threads_)
  {
    const auto [begin, end] = shares_[static_cast<size_t>(omp_get_thread_num())];
    run_share(arrays, begin, end);
  }
}

void StreamOp::filled(int64_t copy) {
  if (copy + 1 == task().copies && pages_.empty()) pages_ = arena().huge_page_note();
}

sdk::OpInfo StreamOp::info() const {
  sdk::OpInfo info{.kernel = fmt::format("highway:{}{}", highway_target(),
                                         stream_.nontemporal ? ", non-temporal" : ""),
                   .bytes_held = bytes_held()};
  if (threads_ < asked_threads_) {
    info.notes.push_back(fmt::format("{} of {} threads work: there are no more partial sums",
                                     threads_, asked_threads_));
  }
  if (!pages_.empty()) info.notes.push_back(pages_);
  return info;
}

}  // namespace ridge::cpu
