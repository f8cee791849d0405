#include "report/picture_parts.h"

#include <fmt/format.h>

#include <algorithm>

namespace ridge::picture {

std::optional<int> width_of(const Style& style) {
  if (style.width < kLeastWidth) return std::nullopt;
  return std::min(style.width, kMostWidth);
}

std::string too_narrow(const Style& style, const std::string& what) {
  Canvas canvas(std::max(style.width, 1), 0);
  say(canvas, fmt::format("No picture of {}: it needs {} columns, here are {}.", what, kLeastWidth,
                          style.width));
  return canvas.text(style);
}

int rows_of(int width) { return std::clamp(width * 2 / 9, 12, 36); }

void say(Canvas& canvas, const std::string& text, Ink ink) {
  const int indent = canvas.columns() >= kLeastWidth ? 2 : 0;
  bool first = true;
  for (const std::string& line : wrapped(text, canvas.columns() - indent)) {
    canvas.write(first ? 0 : indent, canvas.add_rows(), line, ink);
    first = false;
  }
}

}  // namespace ridge::picture
