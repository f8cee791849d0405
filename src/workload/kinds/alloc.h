#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/choices.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// How much memory a process gets and can really write to. Its results are values, not a time:
//   single  largest_single: the largest allocation in one piece
//   total   largest_total: all allocations together
// A worker stops before the machine swaps or the kernel kills, and keeps to its control group.
struct Alloc {
  enum class What { single, total };

  What what = What::single;

  static constexpr std::string_view kind = "alloc";
  static constexpr std::string_view about = "the most memory that can be allocated and written to";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("what", self.what, "single (one allocation) or total (all together)");
  }

  // What the value that comes out is called.
  std::string result() const { return what == What::single ? "largest_single" : "largest_total"; }
  bool operator==(const Alloc&) const = default;
};

inline constexpr std::string_view kAllocWhats[] = {"single", "total"};
inline Choices choices(Alloc::What) { return {kAllocWhats}; }

inline Result<void> validate(const Alloc&) { return {}; }
inline std::string work_key(const Alloc& alloc) { return "alloc/" + std::string(name(alloc.what)); }
inline std::string operation(const Alloc& alloc) { return std::string(name(alloc.what)); }
inline Cost cost(const Alloc&, const Settings&) { return {.rate_unit = RateUnit::none}; }
inline std::vector<TensorSpec> tensors(const Alloc&) { return {}; }
inline std::vector<int64_t> elements_to_check(const Alloc&, std::string_view, int64_t, TensorKey) {
  return {};
}
inline std::vector<Expected> expected(const Alloc&, const InputSource&, std::string_view,
                                      std::span<const int64_t>) {
  return {};
}

}  // namespace ridge
