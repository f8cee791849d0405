#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace ridge {

// A name out of a file, for an error message: at most 80 bytes of it, nothing that a terminal
// obeys.
inline std::string in_quotes(std::string_view name) {
  constexpr size_t most = 80;
  std::string out = "'";
  for (const char c : name.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + (name.size() > most ? "…'" : "'");
}

}  // namespace ridge
