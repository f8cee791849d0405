// Any bytes as JSON: a value that survives writing and reading, or an error.

#include "fuzz.h"

using namespace ridge;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto json = Json::parse(fuzz::text_of(data, size));
  if (!json) {
    fuzz::require(!json.error().message.empty(), "an error says something");
    return 0;
  }
  const std::string line = json->dump();
  fuzz::require(line.find('\n') == std::string::npos, "compact JSON is one line", line);
  for (const int indent : {-1, 2}) {
    auto again = Json::parse(json->dump(indent));
    fuzz::require(again.ok() && *again == *json, "a value comes back as it was", line);
  }
  return 0;
}
