// Any bytes as a suite: every item that comes of it is valid and there once.

#include "workload/suite.h"

#include <set>

#include "fuzz.h"

using namespace ridge;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto suite = parse_suite(fuzz::text_of(data, size), "suite.json");
  if (!suite) {
    require(suite.error().message.starts_with("suite.json"), "an error says where");
    return 0;
  }
  require(!suite->items.empty(), "a suite holds something");
  require(suite->rounds >= 1 && suite->seconds_per_row > 0 && suite->most_seconds > 0,
          "it can be run");
  std::set<std::string> keys;
  for (const SuiteItem& item : suite->items) {
    require(keys.insert(row_key(item.work, item.settings, "w", "0")).second, "each item is one");
    auto work = parse_workload(to_json(item.work), "item");
    require(work && to_json(*work) == to_json(item.work), "an item is valid work");
    auto settings = parse_settings(to_json(item.settings), "item");
    require(settings && to_json(*settings) == to_json(item.settings), "with valid settings");
  }
  return 0;
}
