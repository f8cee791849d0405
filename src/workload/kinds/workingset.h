#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/choices.h"
#include "workload/kinds/stream.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// Memory again and again: `bytes` of it, in all. Over many sizes it shows the caches.
//   read   stream's read over one array (bandwidth)
//   chase  a walk through the array's 64-byte lines where each line holds the address of the next
//          (latency): one core, one access at a time
// The lines of a chase form one ring through all of them, in an order that no prefetcher follows.
// An op walks hops() steps from line 0; its output `end` is the line where it stops.
struct WorkingSet {
  enum class Op { read, chase };

  Op op = Op::chase;
  int64_t bytes = 0;

  static constexpr std::string_view kind = "workingset";
  static constexpr std::string_view about = "caches: bandwidth and latency against size";
  static constexpr int64_t line = 64;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("op", self.op, "read (bandwidth) or chase (latency)");
    visit("bytes", self.bytes, "memory touched by one op, in all");
  }

  Stream as_stream() const {
    return {.op = Stream::Op::read, .bytes = bytes, .nontemporal = false};
  }
  int64_t lines() const { return bytes / line; }
  int64_t hops() const;  // more than a whole round, so that all of the array is in use
  bool operator==(const WorkingSet&) const = default;
};

inline constexpr std::string_view kWorkingSetOps[] = {"read", "chase"};
inline Choices choices(WorkingSet::Op) { return {kWorkingSetOps}; }

// The ring: line i is followed by (a·i + c) mod lines. By Hull and Dobell (SIAM Review 4, 1962) it
// holds all lines if c shares no factor with their number and a - 1 is a multiple of 4 and of every
// prime in it; so the number of lines may have the primes 2, 3, 5 and 7 only.
struct Ring {
  uint64_t lines = 1, a = 1, c = 1;  // a and c below `lines`, lines at most 2^30

  uint64_t next(uint64_t at) const { return (a * at + c) % lines; }
  uint64_t after(uint64_t at, int64_t hops) const;  // in log(hops) steps
};
Ring ring_of(const WorkingSet& set, const InputSource& inputs);  // of the tensor name "ring"

Result<void> validate(const WorkingSet& set);
std::string work_key(const WorkingSet& set);   // "workingset/chase/32KiB"
std::string operation(const WorkingSet& set);  // "chase"
Cost cost(const WorkingSet& set, const Settings& settings);
// read: as stream's; chase: the output `end`, int32; the ring itself is no tensor.
std::vector<TensorSpec> tensors(const WorkingSet& set);
std::vector<int64_t> elements_to_check(const WorkingSet& set, std::string_view tensor, int64_t want,
                                       TensorKey choice);
std::vector<Expected> expected(const WorkingSet& set, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
