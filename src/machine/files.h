#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "machine/known.h"
#include "machine/machine.h"

namespace ridge::machine {

// Reads of /proc and /sys: bounded, below a root folder, and never a surprise.
inline constexpr size_t kSmallFile = 64 * 1024;
inline constexpr size_t kLargeFile = 1024 * 1024;

// The first `limit` bytes of root/path. The error says the path and why.
Result<std::string> read_text(const Sources& sources, std::string_view path,
                              size_t limit = kSmallFile);
// The first line, without the blanks around it; an empty file is an error.
Result<std::string> read_line(const Sources& sources, std::string_view path);
Result<int64_t> read_int(const Sources& sources, std::string_view path);
// Names in a folder, sorted ("cpu2" before "cpu10"); at most 65536. Empty where there is no folder.
std::vector<std::string> list_folder(const Sources& sources, std::string_view path);
bool exists(const Sources& sources, std::string_view path);

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char by);
std::vector<std::string_view> words(std::string_view text);  // parted by blanks and line ends

// The whole text as a finite number; nothing else may stand there. No locale is asked.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T out{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, out);
  if (error != std::errc() || rest != end || text.empty()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(out)) return std::nullopt;  // from_chars takes "nan" and "inf"
  }
  return out;
}
std::optional<int64_t> parse_hex(std::string_view text);  // "0x1a" or "1a"

// name + digits, and nothing else: the number. "cpu12", "cpu" -> 12.
std::optional<int64_t> numbered(std::string_view name, std::string_view prefix);

// The value of "key: value" or "key = value" in a text of such lines.
std::optional<std::string_view> field(std::string_view text, std::string_view key,
                                      char separator = ':');

template <class T>
Known<T> known(const std::optional<T>& value, const std::string& reason) {
  if (value) return *value;
  return Known<T>::unknown(reason);
}
template <class T>
Known<T> known(const Result<T>& value) {
  if (value) return *value;
  return Known<T>::unknown(value.error().message);
}

}  // namespace ridge::machine
