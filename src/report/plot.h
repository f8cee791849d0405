#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "report/axis.h"
#include "report/canvas.h"

namespace ridge {

struct Place {
  double x = 0, y = 0;
};

// The rectangle of a canvas in which values are drawn; its axes lie left of and below it.
struct Frame {
  Axis x, y;
  int left = 0, top = 0;  // of its first cell
  int columns = 0, rows = 0;
  std::vector<Tick> x_ticks, y_ticks;

  // The cell of a value; the nearest one for values beyond the axis.
  int column(double value) const;
  int row(double value) const;
  // The same in dots, two a column and four a row; not held within the frame.
  double dot_x(double value) const { return 2 * (left + columns * x.at(value)); }
  double dot_y(double value) const { return 4 * (top + rows * (1 - y.at(value))); }
};

// Rows that the x axis takes beneath a frame: the line, its labels, its name.
inline constexpr int kRowsOfAxis = 3;

// Fits both axes with their labels into `width` columns.
Frame make_frame(const Axis& x, const Axis& y, int top, int width, int rows);

// Axes, ticks and labels; beneath them the first of the x axis' `names` for which there is room.
void draw_axes(Canvas& canvas, const Frame& frame, std::initializer_list<std::string> names);

// From place to place, straight as drawn; what lies outside the frame is left out.
void draw_line(Canvas& canvas, const Frame& frame, std::span<const Place> places, Ink ink);

// Down the whole frame, where nothing is drawn yet.
void draw_upright(Canvas& canvas, const Frame& frame, double x, char32_t glyph, Ink ink);

// Writes `text` where it and the cells beside it are free, within the frame; false if they are not.
bool write_free(Canvas& canvas, const Frame& frame, int column, int row, const std::string& text,
                Ink ink);

}  // namespace ridge
