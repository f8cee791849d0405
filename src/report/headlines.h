#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/run_file.h"

namespace ridge {

// The few numbers that stand for a machine: the best product of each dtype, the best cold copy and
// triad, each with the row it comes from.
struct Headline {
  std::string name;  // "gemm bf16", "copy"
  const Row* row = nullptr;
};
std::vector<Headline> headlines(const std::vector<Row>& rows);

// A line a headline, with its interval.
std::string headlines_text(const Run& run);

}  // namespace ridge
