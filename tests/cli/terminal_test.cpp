// How pictures are shown, decided from the environment.

#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace {

using ridge::Style;
using ridge::cli::style_of;
using Environment = std::vector<std::string>;

TEST(Terminal, UnicodeWhereTheFirstLocaleThatIsSetNamesUtf8) {
  const auto unicode = [](const Environment& environment) {
    return style_of(environment, false, 0).unicode;
  };
  EXPECT_FALSE(unicode({}));
  EXPECT_TRUE(unicode({"LANG=en_US.UTF-8"}));
  EXPECT_TRUE(unicode({"LANG=de_DE.utf8@euro"}));
  EXPECT_TRUE(unicode({"LC_CTYPE=UTF-8"}));
  EXPECT_FALSE(unicode({"LANG=de_DE.ISO-8859-1"}));
  EXPECT_FALSE(unicode({"LANG=en_US.UTF-8", "LC_ALL=C"}));
  EXPECT_TRUE(unicode({"LANG=C", "LC_CTYPE=C.UTF-8"}));
  EXPECT_FALSE(unicode({"LC_CTYPE=POSIX", "LANG=C.UTF-8"}));
  EXPECT_TRUE(unicode({"LC_ALL=", "LANG=C.UTF-8"}));  // an empty one counts as unset
  EXPECT_FALSE(unicode({"LC_ALLX=C.UTF-8", "XLANG=C.UTF-8"}));
}

TEST(Terminal, ColourOnlyInATerminalThatWantsIt) {
  EXPECT_FALSE(style_of({"TERM=xterm-256color"}, false, 0).colour);
  EXPECT_TRUE(style_of({"TERM=xterm-256color"}, true, 80).colour);
  EXPECT_FALSE(style_of({"TERM=dumb"}, true, 80).colour);
  EXPECT_FALSE(style_of({"TERM=xterm", "NO_COLOR=1"}, true, 80).colour);
  EXPECT_TRUE(style_of({"TERM=xterm", "NO_COLOR="}, true, 80).colour);
}

TEST(Terminal, WidthOfColumnsThenOfTheTerminalThen80) {
  const auto width = [](const Environment& environment, bool terminal, int columns) {
    return style_of(environment, terminal, columns).width;
  };
  EXPECT_EQ(width({}, false, 0), 80);
  EXPECT_EQ(width({}, true, 0), 80);
  EXPECT_EQ(width({}, true, 133), 133);
  EXPECT_EQ(width({"COLUMNS=100"}, true, 133), 100);
  EXPECT_EQ(width({"COLUMNS=100"}, false, 0), 100);
  for (const char* nonsense : {"COLUMNS=", "COLUMNS=x", "COLUMNS=-5", "COLUMNS=0", "COLUMNS=80x",
                               "COLUMNS=99999999999999999999"}) {
    EXPECT_EQ(width({nonsense}, true, 120), 120) << nonsense;
  }
}

}  // namespace
