#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "workload/workload.h"

namespace ridge {

// A piece of work as a suite asks for it, before it is known which workers can do it.
struct SuiteItem {
  Workload work;
  Settings settings;
  // Takes part in at most so many, where rounds cost more than they tell; one more if it is the
  // best.
  int rounds = kAllRounds;

  static constexpr int kAllRounds = 1000;
};

// A suite is data:
//   {"name": "quick", "about": "…", "seconds_per_row": 4, "rounds": 5, "most_seconds": 120,
//    "items": [{"kind": "gemm", "dtype": ["f32", "bf16"], "shape": [{"m": 512, "n": 512, "k":
//    512}],
//               "settings": {"form": "packed"}}]}
// In an item (and in its settings) an array is an axis: every combination is made, the last axis
// fastest. `rounds` in an item: it takes part in so many of the suite's only. An axis of objects
// sets several fields at once; its own name says nothing. A model stands there by its name.
struct Suite {
  std::string name;
  std::string about;
  double seconds_per_row = 4;  // of measuring, over all rounds
  double most_seconds = 600;   // of measuring, for the whole suite
  int rounds = 5;
  std::vector<SuiteItem> items;
};

// What an item's "model": "qwen3-0.6b" stands for: a configuration, and the file that holds its
// weights, if there is one. The caller's, as nothing here reads files by itself.
using ModelLookup = std::function<Result<ModelUse>(const std::string& text)>;

Result<Suite> parse_suite(std::string_view text, const std::string& where,
                          const ModelLookup& models = {});

}  // namespace ridge
