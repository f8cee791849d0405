#include "report/plot.h"

#include <algorithm>
#include <cmath>

namespace ridge {
namespace {

int cell_of(double part, int cells) {
  return std::clamp(static_cast<int>(std::floor(std::clamp(part, 0.0, 1.0) * cells)), 0, cells - 1);
}

// Where the label of an x tick begins: centred beneath it, moved in at the canvas' right edge.
int label_start(const Frame& frame, const Tick& tick, int width) {
  const int length = columns_of(tick.label);
  return std::min(frame.column(tick.value) - (length - 1) / 2, width - length);
}

// The part [from, to] of a segment that lies within lo..hi in one coordinate (Liang and Barsky).
bool clip(double start, double delta, double lo, double hi, double& from, double& to) {
  if (delta == 0) return lo <= start && start <= hi;
  const double a = (lo - start) / delta, b = (hi - start) / delta;
  from = std::max(from, std::min(a, b));
  to = std::min(to, std::max(a, b));
  return from <= to;
}

}  // namespace

int Frame::column(double value) const { return left + cell_of(x.at(value), columns); }
int Frame::row(double value) const { return top + cell_of(1 - y.at(value), rows); }

Frame make_frame(const Axis& x, const Axis& y, int top, int width, int rows) {
  Frame frame{.x = x, .y = y, .top = top, .columns = width, .rows = rows};
  frame.y_ticks = ticks(y, [&](const std::vector<Tick>& found) {
    for (size_t i = 1; i < found.size(); ++i) {
      if (frame.row(found[i - 1].value) - frame.row(found[i].value) < 2) return false;
    }
    return true;
  });
  for (const Tick& tick : frame.y_ticks) {
    frame.left = std::max(frame.left, columns_of(tick.label) + 2);
  }
  frame.left = std::max(frame.left, 2);
  frame.columns = std::max(1, width - frame.left);
  frame.x_ticks = ticks(x, [&](const std::vector<Tick>& found) {
    int end = 0;
    for (const Tick& tick : found) {
      const int start = label_start(frame, tick, width);
      if (start < end) return false;
      end = start + columns_of(tick.label) + 2;
    }
    return true;
  });
  return frame;
}

void draw_axes(Canvas& canvas, const Frame& frame, std::initializer_list<std::string> names) {
  const int bottom = frame.top + frame.rows;
  for (int row = frame.top; row < bottom; ++row) {
    canvas.put(frame.left - 1, row, U'│', Ink::faint);
  }
  for (const Tick& tick : frame.y_ticks) {
    const int row = frame.row(tick.value);
    canvas.write(frame.left - 2 - columns_of(tick.label), row, tick.label);
    canvas.put(frame.left - 1, row, U'┤', Ink::faint);
  }
  canvas.put(frame.left - 1, bottom, U'└', Ink::faint);
  for (int i = 0; i < frame.columns; ++i) {
    canvas.put(frame.left + i, bottom, U'─', Ink::faint);
  }
  for (const Tick& tick : frame.x_ticks) {
    canvas.put(frame.column(tick.value), bottom, U'┬', Ink::faint);
    canvas.write(label_start(frame, tick, canvas.columns()), bottom + 1, tick.label);
  }
  for (const std::string& name : names) {
    const int space = frame.columns - columns_of(name);
    if (space < 0) continue;
    canvas.write(frame.left + space / 2, bottom + 2, name, Ink::faint);
    break;
  }
}

void draw_line(Canvas& canvas, const Frame& frame, std::span<const Place> places, Ink ink) {
  const double left = 2.0 * frame.left, right = left + 2.0 * frame.columns;
  const double top = 4.0 * frame.top, bottom = top + 4.0 * frame.rows;
  for (size_t i = 0; i + 1 < places.size(); ++i) {
    const double x = frame.dot_x(places[i].x), y = frame.dot_y(places[i].y);
    const double dx = frame.dot_x(places[i + 1].x) - x, dy = frame.dot_y(places[i + 1].y) - y;
    double from = 0, to = 1;
    if (!std::isfinite(x + y + dx + dy) || !clip(x, dx, left, right, from, to) ||
        !clip(y, dy, top, bottom, from, to)) {
      continue;
    }
    const double length = (to - from) * std::max(std::fabs(dx), std::fabs(dy));
    const int steps = std::max(1, static_cast<int>(std::ceil(length)));
    for (int step = 0; step <= steps; ++step) {
      const double part = from + (to - from) * step / steps;
      const auto at = [](double value, double least, double end) {
        return static_cast<int>(std::clamp(std::floor(value), least, end - 1));
      };
      canvas.dot(at(x + part * dx, left, right), at(y + part * dy, top, bottom), ink);
    }
  }
}

void draw_upright(Canvas& canvas, const Frame& frame, double x, char32_t glyph, Ink ink) {
  for (int row = frame.top; row < frame.top + frame.rows; ++row) {
    if (canvas.empty(frame.column(x), row)) canvas.put(frame.column(x), row, glyph, ink);
  }
}

bool write_free(Canvas& canvas, const Frame& frame, int column, int row, const std::string& text,
                Ink ink) {
  const int end = column + columns_of(text);
  const int from = std::max(frame.left, column - 1);
  const int to = std::min(frame.left + frame.columns, end + 1);
  if (column < frame.left || end > frame.left + frame.columns || row < frame.top ||
      row >= frame.top + frame.rows || !canvas.empty(from, row, to - from)) {
    return false;
  }
  canvas.write(column, row, text, ink);
  return true;
}

}  // namespace ridge
