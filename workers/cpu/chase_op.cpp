#include "chase_op.h"

namespace ridge::cpu {
namespace {

void** line_at(std::byte* ring, uint64_t line) {
  return reinterpret_cast<void**>(ring + line * WorkingSet::line);
}

}  // namespace

ChaseOp::ChaseOp(const sdk::Task& task, sdk::Arena& arena, Team& team)
    : HostOp(task, arena, team.filler(1)), team_(team), set_(std::get<WorkingSet>(task.work)) {
  const int64_t before = arena.used();
  for (int64_t copy = 0; copy < task.copies; ++copy) {
    rings_.push_back(static_cast<std::byte*>(arena.allocate(set_.bytes)));
  }
  bytes_ = bytes_held() + arena.used() - before;
}

void ChaseOp::fill(const InputSource& inputs) {
  HostOp::fill(inputs);
  const Ring ring = ring_of(set_, inputs);
  std::byte* lines = rings_[static_cast<size_t>(inputs.copy)];
  // By the core that will walk.
  team_.parallel_for(1, set_.lines(), [&](int64_t begin, int64_t end) {
    for (auto line = static_cast<uint64_t>(begin); line < static_cast<uint64_t>(end); ++line) {
      *line_at(lines, line) = line_at(lines, ring.next(line));
    }
  });
  if (inputs.copy + 1 == task().copies && pages_.empty()) pages_ = arena().huge_page_note();
}

void ChaseOp::run(int64_t copy) {
  team_.use(1);
  std::byte* lines = rings_[static_cast<size_t>(copy)];
  const void* at = lines;
  const int64_t hops = set_.hops();
  int64_t done = 0;
  for (; done + 16 <= hops; done += 16) {
    // Each load needs the one before: unrolled, nothing else is left to do.
    for (int i = 0; i < 16; ++i) at = *static_cast<void* const*>(at);
  }
  for (; done < hops; ++done) at = *static_cast<void* const*>(at);
  const auto end = (static_cast<const std::byte*>(at) - lines) / WorkingSet::line;
  *static_cast<int32_t*>(data("end", copy)) = static_cast<int32_t>(end);
}

sdk::OpInfo ChaseOp::info() const {
  sdk::OpInfo info{.kernel = "dependent loads", .bytes_held = bytes_};
  if (!pages_.empty()) info.notes.push_back(pages_);
  return info;
}

}  // namespace ridge::cpu
