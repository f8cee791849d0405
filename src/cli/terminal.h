#pragma once

#include <string>
#include <vector>

#include "report/canvas.h"

namespace ridge::cli {

// How pictures are shown. `environment` as in Context; `columns`: what the terminal says, 0 where
// stdout is none.
// - Width: COLUMNS, else the terminal's, else 80.
// - Unicode: where the first of LC_ALL, LC_CTYPE and LANG that is set and not empty names UTF-8.
// - Colour: only in a terminal, unless NO_COLOR is set and not empty (no-color.org) or TERM is
// dumb.
Style style_of(const std::vector<std::string>& environment, bool terminal, int columns);

// The same for stdout as it is.
Style style_of_stdout(const std::vector<std::string>& environment);

}  // namespace ridge::cli
