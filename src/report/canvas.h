#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Characters on a grid, with dots eight to a character (Braille), for pictures in a terminal.
namespace ridge {

// How a picture is shown. Narrower than kLeastWidth there is a sentence in its place.
struct Style {
  int width = 80;       // columns
  bool unicode = true;  // false: ASCII alone
  bool colour = false;  // by ANSI escapes
  bool operator==(const Style&) const = default;
};
inline constexpr int kLeastWidth = 40, kMostWidth = 400;

// Colours are those of the terminal's own palette: it knows what can be read on its background.
enum class Ink : uint8_t { plain, faint, bold, cyan, yellow, magenta, green, blue, red };

// The same text with blanks at which it is not to be wrapped.
std::string held(std::string_view text);

// Text of others (names, keys) without what would paint the terminal or take no or two columns:
// control characters, broken UTF-8 and scripts beyond Latin, Greek and Cyrillic become '?'.
std::string clean(std::string_view text);

int columns_of(std::string_view text);                // code points
std::string cut(std::string_view text, int columns);  // the middle replaced by "…" if longer
std::vector<std::string> wrapped(std::string_view text, int columns);  // at blanks, if it can

class Canvas {
 public:
  Canvas(int columns, int rows);

  int columns() const { return columns_; }
  int rows() const { return static_cast<int>(cells_.size()) / columns_; }
  int add_rows(int count = 1);  // at the bottom; the first of them

  // All places count from the top left; what lies outside is not drawn.
  void dot(int x, int y, Ink ink);  // x below 2 · columns, y below 4 · rows
  void put(int column, int row, char32_t glyph, Ink ink = Ink::plain);
  void write(int column, int row, std::string_view text, Ink ink = Ink::plain);
  // Neither glyphs nor dots; false where a part of it lies outside.
  bool empty(int column, int row, int length = 1) const;
  char32_t glyph(int column, int row) const;  // blank: 0; dots: their Braille pattern

  // Lines without blanks at their ends. Written in Unicode throughout; without `unicode` every
  // character has one of ASCII in its place.
  std::string text(const Style& style) const;

 private:
  struct Cell {
    char32_t glyph = 0;
    uint8_t dots = 0;  // as in Unicode's Braille patterns; a glyph hides them
    Ink ink = Ink::plain;
  };
  bool inside(int column, int row) const {
    return column >= 0 && column < columns_ && row >= 0 && row < rows();
  }
  Cell& cell(int column, int row) { return cells_[static_cast<size_t>(row * columns_ + column)]; }
  const Cell& cell(int column, int row) const {
    return cells_[static_cast<size_t>(row * columns_ + column)];
  }

  int columns_;
  std::vector<Cell> cells_;
};

}  // namespace ridge
