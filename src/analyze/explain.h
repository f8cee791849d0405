#pragma once

#include <string>
#include <vector>

#include "analyze/chip_verdict.h"
#include "analyze/roofline.h"

namespace ridge {

// From this many FLOP a byte read from memory on, a dtype's products can be bound by compute.
struct RidgePoint {
  std::string device;
  int threads = 0;
  std::string dtype;
  double flop_per_byte = 0;
};

struct ExplainedRow {
  const Run* run = nullptr;
  const Row* row = nullptr;
  Placement placement;
  std::string advice;  // what would help, from the rows at hand where they tell; may be empty
};

// What runs of one machine tell together. A row that was measured in several runs is there once, as
// the latest run has it; roofs come from all.
struct Explanation {
  std::vector<const Run*> runs;  // the earliest first
  std::vector<DeviceChip> chips;
  Roofline roofline;
  std::vector<ChipVerdict> verdicts;  // of each roof
  std::vector<RidgePoint> ridges;
  std::vector<ExplainedRow> rows;
  size_t measured_again = 0;          // rows left out, as a later run has them
  std::vector<std::string> findings;  // rows that cannot be what they are called, and why
};

// At least one run, all of one machine. Points into them.
Explanation explain(std::vector<const Run*> runs, const ChipDatabase& database);

}  // namespace ridge
