// Any bytes as a chip database: what is read has figures above 0, and each chip answers to its own
// names only.

#include "machine/chips.h"

#include "fuzz.h"

using namespace ridge;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::text_of(data, size));
  const std::string links = R"({"version": "1", "sources": {}, "links": []})";
  auto database = parse_chips(text, "chips.json", links, "links.json");
  if (!database) {
    require(database.error().message.starts_with("chips.json"), "an error says where");
    return 0;
  }
  for (const Chip& chip : database->chips) {
    for (const Peak& peak : chip.peaks) require(peak.flops > 0, "a peak is above 0");
    for (const ChipModel& model : chip.models) {
      const ChipMatch found = match(*database, {model.name, model.cores, chip.kind, false});
      require(!found.chip || found.chip == &chip, "a name with its cores is one chip's");
      require(found.chip || !found.reason.empty(), "what is unknown has a reason");
      match(*database, {text, {}, {}, true});
    }
  }
  // The file of links, read from the same bytes, may not bring it down either.
  const std::string none = R"({"version": "1", "sources": {}, "chips": []})";
  auto of_links = parse_chips(none, "chips.json", text, "links.json");
  require(of_links || of_links.error().message.starts_with("links.json"), "an error says where");
  return 0;
}
