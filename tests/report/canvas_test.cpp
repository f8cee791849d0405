// Characters, dots and text that is not our own.

#include "report/canvas.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "picture_reader.h"

namespace {

using namespace ridge;
using namespace report_test;

TEST(Canvas, DotsAreUnicodesBraille) {
  // Names of the characters in the Unicode database: BRAILLE PATTERN DOTS-1 … DOTS-8. Dots 1 2 3
  // run down the left, 4 5 6 down the right, 7 and 8 lie beneath them.
  const std::tuple<int, int, const char*> dots[] = {{0, 0, "⠁"}, {0, 1, "⠂"}, {0, 2, "⠄"},
                                                    {1, 0, "⠈"}, {1, 1, "⠐"}, {1, 2, "⠠"},
                                                    {0, 3, "⡀"}, {1, 3, "⢀"}};
  Canvas all(1, 1);
  for (const auto& [x, y, shown] : dots) {
    Canvas canvas(1, 1);
    canvas.dot(x, y, Ink::plain);
    all.dot(x, y, Ink::plain);
    EXPECT_EQ(canvas.text({}), std::string(shown) + "\n");
  }
  EXPECT_EQ(all.text({}), "⣿\n");
}

TEST(Canvas, WhatLiesOutsideIsNotDrawn) {
  Canvas canvas(3, 2);
  for (const int x : {-1, 6, 1000000}) canvas.dot(x, 0, Ink::plain);
  for (const int y : {-1, 8}) canvas.dot(0, y, Ink::plain);
  canvas.write(-2, 0, "abcdefgh");
  canvas.write(0, 2, "x");
  canvas.write(0, -1, "x");
  EXPECT_EQ(canvas.text({}), "cde\n\n");
  EXPECT_FALSE(canvas.empty(2, 1, 2));
  EXPECT_TRUE(canvas.empty(0, 1, 3));
}

TEST(Canvas, AsciiKeepsTheDirectionOfALine) {
  const auto ascii = [](std::initializer_list<std::pair<int, int>> dots) {
    Canvas canvas(1, 1);
    for (const auto& [x, y] : dots) canvas.dot(x, y, Ink::plain);
    return canvas.text({.unicode = false});
  };
  EXPECT_EQ(ascii({{0, 3}, {1, 0}}), "/\n");
  EXPECT_EQ(ascii({{0, 0}, {1, 3}}), "\\\n");
  EXPECT_EQ(ascii({{0, 0}, {0, 1}, {0, 2}, {0, 3}}), "|\n");
  EXPECT_EQ(ascii({{0, 0}, {1, 0}}), "'\n");
  EXPECT_EQ(ascii({{0, 2}, {1, 2}}), "-\n");
  EXPECT_EQ(ascii({{0, 3}, {1, 3}}), "_\n");
}

TEST(Text, OfOthersCannotPaintTheTerminal) {
  EXPECT_EQ(clean("gemm/f32 größe Ж"), "gemm/f32 größe Ж");
  EXPECT_EQ(clean("\x1b[31m\n\t\x7f"), "?[31m???");
  EXPECT_EQ(clean("日e\xcc\x81"), "?e?");     // two columns, and none
  EXPECT_EQ(clean("a\xff\xc0\xaf"), "a???");  // no UTF-8, and an overlong '/'
  EXPECT_EQ(clean("\xc2\x9b"
                  "31m"),
            "?31m");  // a control sequence in one character
  EXPECT_EQ(clean("\xed\xa0\x80").find('\xed'), std::string::npos);  // half a pair
}

RC_GTEST_PROP(Text, CleanIsOneColumnACharacter, (const std::string& text)) {
  const std::string once = clean(text);
  const auto codes = code_points(once);
  RC_ASSERT(codes.size() == static_cast<size_t>(columns_of(once)));
  for (const char32_t code : codes) RC_ASSERT(code >= ' ' && (code < 0x7F || code > 0xA0));
  RC_ASSERT(clean(once) == once);
}

RC_GTEST_PROP(Text, WrappedLosesBlanksAlone, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c', ' '));
  const int width = *rc::gen::inRange(1, 12);
  std::string joined, letters;
  for (const std::string& line : wrapped(text, width)) {
    RC_ASSERT(columns_of(line) <= width);
    joined += line;
  }
  for (const char c : text) letters += c == ' ' ? "" : std::string(1, c);
  joined.erase(std::remove(joined.begin(), joined.end(), ' '), joined.end());
  RC_ASSERT(joined == letters);
}

TEST(Text, WrapsAtBlanksThatAreNotHeld) {
  EXPECT_EQ(wrapped("one two three", 8), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrapped("one " + held("two three"), 10),
            (std::vector<std::string>{"one", held("two three")}));
  Canvas canvas(10, 1);
  canvas.write(0, 0, held("a b"));
  EXPECT_EQ(canvas.text({.unicode = false}), "a b\n");
}

TEST(Text, CutKeepsBothEnds) {
  EXPECT_EQ(cut("gemm/f32/512x512x512", 11), "gemm/…2x512");
  EXPECT_EQ(cut("short", 5), "short");
  EXPECT_EQ(cut("größer", 3), "g…r");
  EXPECT_EQ(cut("abc", 1), "…");
  EXPECT_EQ(cut("abc", 0), "");
}

}  // namespace
