// Any JSON as each message of the worker protocol. The first byte says which.

#include "fuzz.h"
#include "worker/protocol.h"

using namespace ridge;
using namespace ridge::protocol;

namespace {

template <class T>
void try_as(const Json& json, Result<T> (*parse)(const Json&)) {
  auto message = parse(json);
  if (!message) {
    fuzz::require(!message.error().message.empty(), "an error says something");
    return;
  }
  fuzz::comes_back(*message, parse, [](const T& value) { return to_json(value); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto json = Json::parse(fuzz::text_of(data + 1, size - 1));
  if (!json) return 0;
  switch (data[0]) {
    case 'h': try_as(*json, parse_hello); break;
    case 'p': try_as(*json, parse_prepare); break;
    case 'P': try_as(*json, parse_prepared); break;
    case 'c': try_as(*json, parse_check); break;
    case 'C': try_as(*json, parse_checked); break;
    case 't': try_as(*json, parse_time); break;
    case 's': try_as(*json, parse_samples); break;
    case 'T': try_as(*json, parse_timed); break;
    default: break;
  }
  return 0;
}
