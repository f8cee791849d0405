#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// A file's bytes into memory. The file is the worker's own, in the folder for temporary files. The
// cache of its settings is the page cache: cold, nothing of the file is in it; hot, all of it is.
struct Load {
  int64_t bytes = 0;

  static constexpr std::string_view kind = "load";
  static constexpr std::string_view about = "a file into memory, page cache cold or hot";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("bytes", self.bytes, "size of the file");
  }

  bool operator==(const Load&) const = default;
};

Result<void> validate(const Load& load);
std::string work_key(const Load& load);  // "load/256MiB"
inline std::string operation(const Load&) { return "read"; }
Cost cost(const Load& load, const Settings& settings);
std::vector<TensorSpec> tensors(const Load& load);  // file (what the file holds), out; int8
std::vector<int64_t> elements_to_check(const Load& load, std::string_view tensor, int64_t want,
                                       TensorKey choice);
std::vector<Expected> expected(const Load& load, const InputSource& inputs, std::string_view tensor,
                               std::span<const int64_t> elements);

}  // namespace ridge
