#pragma once

#include <optional>
#include <string>

#include "report/canvas.h"

// What the pictures share.
namespace ridge::picture {

// Columns to draw in; none below kLeastWidth.
std::optional<int> width_of(const Style& style);
// What stands in a picture's place then.
std::string too_narrow(const Style& style, const std::string& what);
// Rows of the frame in a picture that wide.
int rows_of(int width);

// Adds a paragraph beneath what there is, wrapped, its further lines indented.
void say(Canvas& canvas, const std::string& text, Ink ink = Ink::plain);

}  // namespace ridge::picture
