#include "machine/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace ridge::machine {
namespace {

constexpr size_t kMostNames = 65536;

std::string full_path(const Sources& sources, std::string_view path) {
  if (sources.root.empty() || sources.root == "/") return std::string(path);
  return sources.root + std::string(path);
}

Error cannot_read(std::string_view path, int error) {
  return {fmt::format("cannot read {}: {}", path, std::generic_category().message(error))};
}

// Digits compare as numbers, so that "cpu2" comes before "cpu10".
bool natural_less(const std::string& a, const std::string& b) {
  const size_t da = a.find_first_of("0123456789"), db = b.find_first_of("0123456789");
  if (da == db && da != std::string::npos && a.compare(0, da, b, 0, db) == 0) {
    if (a.size() != b.size()) return a.size() < b.size();
  }
  return a < b;
}

}  // namespace

Result<std::string> read_text(const Sources& sources, std::string_view path, size_t limit) {
  // O_NONBLOCK: a pipe in the place of a file must not hold us.
  const int file = ::open(full_path(sources, path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return cannot_read(path, errno);
  std::string out;
  out.resize(std::min<size_t>(limit, 4096));
  size_t used = 0;
  int error = 0;
  while (used < limit) {
    if (used == out.size()) out.resize(std::min(limit, out.size() * 2));
    const ssize_t got = ::read(file, out.data() + used, out.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    used += static_cast<size_t>(got);
  }
  ::close(file);
  if (error != 0) return cannot_read(path, error);
  out.resize(used);
  return out;
}

Result<std::string> read_line(const Sources& sources, std::string_view path) {
  auto text = read_text(sources, path);
  if (!text) return text;
  const std::string_view line = trim(std::string_view(*text).substr(0, text->find('\n')));
  if (line.empty()) return Error{fmt::format("{} is empty", path)};
  return std::string(line);
}

Result<int64_t> read_int(const Sources& sources, std::string_view path) {
  const auto line = read_line(sources, path);
  if (!line) return line.error();
  const auto number = parse_number<int64_t>(*line);
  if (!number) return Error{fmt::format("{} holds no whole number", path)};
  return *number;
}

std::vector<std::string> list_folder(const Sources& sources, std::string_view path) {
  std::vector<std::string> names;
  const auto close = [](DIR* folder) { ::closedir(folder); };
  const std::unique_ptr<DIR, decltype(close)> folder(::opendir(full_path(sources, path).c_str()),
                                                     close);
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    names.emplace_back(name);
    if (names.size() == kMostNames) break;
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

bool exists(const Sources& sources, std::string_view path) {
  return ::access(full_path(sources, path).c_str(), F_OK) == 0;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank(" \t\r\n\v\f\0", 7);
  const size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(by, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::vector<std::string_view> words(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  std::vector<std::string_view> out;
  for (size_t at = text.find_first_not_of(blank); at != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(blank, at), text.size());
    out.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(blank, end);
  }
  return out;
}

std::optional<int64_t> parse_hex(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  int64_t out = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, out, 16);
  if (error != std::errc() || rest != end || text.empty()) return std::nullopt;
  return out;
}

std::optional<int64_t> numbered(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto number = parse_number<int64_t>(name.substr(prefix.size()));
  if (number && *number < 0) return std::nullopt;
  return number;
}

std::optional<std::string_view> field(std::string_view text, std::string_view key, char separator) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const size_t colon = line.find(separator);
    if (colon != std::string_view::npos && trim(line.substr(0, colon)) == key) {
      return trim(line.substr(colon + 1));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

}  // namespace ridge::machine
