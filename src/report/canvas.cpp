#include "report/canvas.h"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>

namespace ridge {
namespace {

constexpr char32_t kBraille = 0x2800;
constexpr char32_t kBroken = 0xFFFD;
constexpr char32_t kHeld = 0xA0;  // no-break space

// Bits of a Braille pattern by column and row of the dot (Unicode, chapter 21.1).
constexpr std::array<std::array<uint8_t, 4>, 2> kDots = {
    {{{0x01, 0x02, 0x04, 0x40}}, {{0x08, 0x10, 0x20, 0x80}}}};

// The code point at the front, which is taken off; kBroken for what is not UTF-8.
char32_t take(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || text.size() < static_cast<size_t>(more)) return kBroken;
  char32_t code = first & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) {
    const auto next = static_cast<unsigned char>(text[static_cast<size_t>(i)]);
    if ((next & 0xC0) != 0x80) return kBroken;
    code = (code << 6) | (next & 0x3Fu);
  }
  static constexpr std::array<char32_t, 4> least = {0, 0x80, 0x800, 0x10000};
  if (code < least[static_cast<size_t>(more)] || code > 0x10FFFF) return kBroken;
  if (code >= 0xD800 && code < 0xE000) return kBroken;
  text.remove_prefix(static_cast<size_t>(more));
  return code;
}

std::u32string decoded(std::string_view text) {
  std::u32string out;
  while (!text.empty()) out += take(text);
  return out;
}

void append(std::string& out, char32_t code) {
  const auto byte = [&](char32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | (code >> 6));
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3F));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

std::string encoded(std::u32string_view text) {
  std::string out;
  for (const char32_t code : text) append(out, code);
  return out;
}

bool one_column(char32_t code) {
  if (code < 0x80) return code >= ' ' && code < 0x7F;
  return code > 0xA0 && code < 0x530 && code != 0xAD && !(code >= 0x300 && code < 0x370) &&
         !(code >= 0x483 && code < 0x48A);
}

// A line through a cell, by where it leaves its left and its right half.
char ascii_of_dots(uint8_t dots) {
  const auto height = [&](size_t column) {  // mean row of the dots, from the top; -1: none
    int count = 0, sum = 0;
    for (size_t row = 0; row < 4; ++row) {
      if (dots & kDots[column][row]) {
        ++count;
        sum += static_cast<int>(row);
      }
    }
    return count == 0 ? -1.0 : static_cast<double>(sum) / count;
  };
  const double left = height(0), right = height(1);
  const int columns = (left >= 0) + (right >= 0);
  if (std::popcount(dots) >= 3 && columns == 1) return '|';
  if (columns == 2 && left - right >= 1) return '/';
  if (columns == 2 && right - left >= 1) return '\\';
  const double middle = columns == 2 ? (left + right) / 2 : std::max(left, right);
  return middle < 1 ? '\'' : middle < 2.5 ? '-' : '_';
}

char ascii_of(char32_t glyph) {
  switch (glyph) {
    case U'│': return '|';
    case U'┊': return ':';
    case U'─': return '-';
    case U'━': return '=';
    case U'┤':
    case U'└':
    case U'┬':
    case U'◇': return '+';
    case U'•': return '*';
    case U'…': return '~';
    case U'×': return 'x';
    case U'±': return '~';
    case U'–': return '-';
    default: break;
  }
  if (glyph > kBraille && glyph < kBraille + 0x100) {
    return ascii_of_dots(static_cast<uint8_t>(glyph - kBraille));
  }
  return glyph < 0x80 ? static_cast<char>(glyph) : '?';
}

std::string_view escape(Ink ink) {
  switch (ink) {
    case Ink::plain: return "\x1b[0m";
    case Ink::faint: return "\x1b[90m";
    case Ink::bold: return "\x1b[1m";
    case Ink::cyan: return "\x1b[36m";
    case Ink::yellow: return "\x1b[33m";
    case Ink::magenta: return "\x1b[35m";
    case Ink::green: return "\x1b[32m";
    case Ink::blue: return "\x1b[94m";
    case Ink::red: return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string held(std::string_view text) {
  std::u32string out = decoded(text);
  std::replace(out.begin(), out.end(), U' ', kHeld);
  return encoded(out);
}

std::string clean(std::string_view text) {
  std::u32string out = decoded(text);
  for (char32_t& code : out) {
    if (!one_column(code)) code = '?';
  }
  return encoded(out);
}

int columns_of(std::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string cut(std::string_view text, int columns) {
  const std::u32string all = decoded(text);
  const auto most = static_cast<size_t>(std::max(columns, 0));
  if (all.size() <= most) return std::string(text);
  if (most == 0) return "";
  const size_t tail = (most - 1) / 2, head = most - 1 - tail;
  return encoded(all.substr(0, head)) + "…" + encoded(all.substr(all.size() - tail));
}

std::vector<std::string> wrapped(std::string_view text, int columns) {
  const auto most = static_cast<size_t>(std::max(columns, 1));
  std::vector<std::string> lines;
  std::u32string rest = decoded(text);
  while (rest.size() > most) {
    size_t at = rest.rfind(U' ', most);
    if (at == std::u32string::npos || at == 0) at = most;
    lines.push_back(encoded(rest.substr(0, at)));
    rest.erase(0, std::min(rest.find_first_not_of(U' ', at), rest.size()));
  }
  if (!rest.empty()) lines.push_back(encoded(rest));
  return lines;
}

Canvas::Canvas(int columns, int rows) : columns_(columns) {
  if (columns < 1 || rows < 0) throw std::invalid_argument("Canvas: no columns, or rows below 0");
  add_rows(rows);
}

int Canvas::add_rows(int count) {
  const int first = rows();
  cells_.resize(cells_.size() + static_cast<size_t>(count * columns_));
  return first;
}

void Canvas::dot(int x, int y, Ink ink) {
  if (x < 0 || y < 0 || !inside(x / 2, y / 4)) return;
  Cell& at = cell(x / 2, y / 4);
  at.dots |= kDots[static_cast<size_t>(x % 2)][static_cast<size_t>(y % 4)];
  if (at.glyph == 0) at.ink = ink;
}

void Canvas::put(int column, int row, char32_t glyph, Ink ink) {
  if (!inside(column, row)) return;
  cell(column, row).glyph = glyph == kHeld ? U' ' : glyph;
  cell(column, row).ink = ink;
}

void Canvas::write(int column, int row, std::string_view text, Ink ink) {
  for (const char32_t code : decoded(text)) put(column++, row, code, ink);
}

bool Canvas::empty(int column, int row, int length) const {
  if (length < 1 || !inside(column, row) || !inside(column + length - 1, row)) return false;
  for (int i = 0; i < length; ++i) {
    if (glyph(column + i, row) != 0) return false;
  }
  return true;
}

char32_t Canvas::glyph(int column, int row) const {
  if (!inside(column, row)) return 0;
  const Cell& at = cell(column, row);
  return at.glyph != 0 || at.dots == 0 ? at.glyph : kBraille + at.dots;
}

std::string Canvas::text(const Style& style) const {
  std::string out;
  for (int row = 0; row < rows(); ++row) {
    int end = columns_;
    while (end > 0 && (glyph(end - 1, row) == 0 || glyph(end - 1, row) == U' ')) --end;
    Ink ink = Ink::plain;
    for (int column = 0; column < end; ++column) {
      const Cell& at = cell(column, row);
      const char32_t shown = glyph(column, row);
      const bool blank = shown == 0 || shown == U' ';
      if (style.colour && !blank && at.ink != ink) {
        if (ink != Ink::plain) out += escape(Ink::plain);
        if (at.ink != Ink::plain) out += escape(at.ink);
        ink = at.ink;
      }
      if (blank) {
        out += ' ';
      } else if (style.unicode) {
        append(out, shown);
      } else {
        out += at.glyph == 0 ? ascii_of_dots(at.dots) : ascii_of(at.glyph);
      }
    }
    if (ink != Ink::plain) out += escape(Ink::plain);
    out += '\n';
  }
  return out;
}

}  // namespace ridge
