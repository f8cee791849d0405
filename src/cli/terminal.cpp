#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

namespace ridge::cli {
namespace {

std::string_view variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string_view entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

// "C.UTF-8", "de_DE.utf8@euro"
bool names_utf8(std::string_view locale) {
  std::string codeset(locale.substr(std::min(locale.find('.'), locale.size())));
  for (char& c : codeset) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return codeset.starts_with(".utf-8") || codeset.starts_with(".utf8");
}

// A whole positive number; 0 for anything else.
int number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value > 0 ? value : 0;
}

}  // namespace

Style style_of(const std::vector<std::string>& environment, bool terminal, int columns) {
  Style style;
  style.unicode = false;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view locale = variable(environment, name);
    if (locale.empty()) continue;
    // macOS writes LC_CTYPE=UTF-8.
    style.unicode = names_utf8(locale) || locale == "UTF-8";
    break;
  }
  style.colour = terminal && variable(environment, "NO_COLOR").empty() &&
                 variable(environment, "TERM") != "dumb";
  if (const int wanted = number(variable(environment, "COLUMNS"))) {
    style.width = wanted;
  } else if (terminal && columns > 0) {
    style.width = columns;
  }
  return style;
}

Style style_of_stdout(const std::vector<std::string>& environment) {
  winsize size{};
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  const bool known = terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return style_of(environment, terminal, known ? size.ws_col : 0);
}

}  // namespace ridge::cli
