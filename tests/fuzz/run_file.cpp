// Any bytes as a run file: every row that is read from it can be written, and is read again as it
// was, in the same order and without a warning. Its roofs and shares are numbers.

#include "store/run_file.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "analyze/roofline.h"
#include "fuzz.h"

using namespace ridge;
using fuzz::require;

namespace {

// The rows of `run` as a run file, under a header that names no order.
std::string rewritten(const Run& run) {
  std::string text =
      Json::object()
          .set("type", "header")
          .set("schema", Json::object().set("name", kRunSchemaName).set("version", "1.0.0"))
          .set("id", "")
          .set("started_utc", "")
          .set("machine_key", "")
          .dump() +
      "\n";
  for (const Row& row : run.rows) text += to_json(row).dump() + "\n";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::text_of(data, size));
  std::istringstream file(text);
  auto run = read_run(file, "run.jsonl");
  if (!run) {
    require(run.error().message.starts_with("run.jsonl"), "an error says where");
    return 0;
  }
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  require(run->rows.size() + run->canaries.size() + run->warnings.size() < lines,
          "a line is one thing at most");
  for (const Row& row : run->rows) {
    fuzz::comes_back(
        row, [](const Json& json) { return parse_row(json, "row"); },
        [](const Row& r) { return to_json(r); });
  }
  const Roofline roofs = roofline({&*run});
  for (const Roof& roof : roofs.roofs) {
    require(std::isnormal(roof.rate.value) && roof.rate.value > 0, "a roof is a rate");
  }
  for (const Row& row : run->rows) {
    const Placement placement = place(roofs, *run, row);
    require(placement.refused.empty() != placement.limits.empty(), "placed, or refused");
    for (const Limit& limit : placement.limits) {
      require(std::isnormal(limit.share) && limit.share > 0, "a share is a number");
    }
  }
  std::istringstream copy(rewritten(*run));
  auto again = read_run(copy, "copy.jsonl");
  require(again.ok() && again->warnings.empty(), "what is written can be read");
  require(again->rows.size() == run->rows.size(), "all of it");
  for (size_t i = 0; i < run->rows.size(); ++i) {
    require(to_json(again->rows[i]) == to_json(run->rows[i]), "as it was");
  }
  return 0;
}
