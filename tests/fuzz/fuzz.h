#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json.h"

// What the fuzzers share. Each defines LLVMFuzzerTestOneInput and states properties by require():
// one that does not hold ends the program, as a crash does, and libFuzzer keeps the input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fuzz {

inline void require(bool holds, std::string_view property, const std::string& found = "") {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n%s\n", static_cast<int>(property.size()),
               property.data(), found.c_str());
  std::abort();
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// What was read, written, read and written again is what was written first.
template <class T, class Read, class Write>
void comes_back(const T& value, const Read& read, const Write& write) {
  const ridge::Json once = write(value);
  auto text = ridge::Json::parse(once.dump());
  require(text.ok(), "what is written is JSON", once.dump());
  auto back = read(*text);
  require(back.ok(), "what is written can be read", once.dump());
  require(write(*back) == once, "it comes back as it was", once.dump());
}

}  // namespace fuzz
