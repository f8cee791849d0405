#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/units.h"
#include "report/picture_parts.h"
#include "report/pictures.h"
#include "report/plot.h"

namespace ridge {
namespace {

constexpr size_t kMostLevels = 12;  // of cliffs and of caches; a machine has fewer

std::string size_text(double bytes) {
  return show_bytes(bytes < 10240 ? std::llround(bytes) : std::llround(bytes / 1024) * 1024);
}

bool is_chase(const CacheCurve& curve) { return curve.op == WorkingSet::Op::chase; }

// What the picture shows of a time an access or a byte.
double shown(const CacheCurve& curve, double ns) { return is_chase(curve) ? ns : 1e9 / ns; }

std::string level_text(const CacheCurve& curve, double ns) {
  return is_chase(curve) ? show_time(ns) : show_rate(1e9 / ns, RateUnit::byte_per_s);
}

Quantity quantity_of(const CacheCurve& curve) {
  return is_chase(curve) ? Quantity::ns : Quantity::byte_per_s;
}

bool has_place(const CacheCurve& curve, double bytes, double ns) {
  return plausible(Quantity::bytes, bytes) && ns > 0 &&
         plausible(quantity_of(curve), shown(curve, ns));
}

// A place above the frame whose column is marked.
struct Mark {
  int column = 0;
  std::string text, longer;  // longer: where all have room for it
};

struct Written {
  int start = 0;
  std::string text;
};

// Each text above its column, moved by at most 3 to make room; in one row. What finds none is left
// out, or, if `all`, nothing is written.
std::vector<Written> in_a_row(const std::vector<Mark>& marks, const Frame& frame, bool longer) {
  std::vector<Written> out;
  int end = frame.left;
  for (const Mark& mark : marks) {
    const std::string& text = longer ? mark.longer : mark.text;
    const int length = columns_of(text), most = frame.left + frame.columns - length;
    const int wanted = mark.column - (length - 1) / 2;
    const int start = std::min(std::max(wanted, end), most);
    if (start < end || std::abs(start - wanted) > 3 + length / 2) continue;
    out.push_back({start, text});
    end = start + length + 1;
  }
  return out;
}

std::vector<Written> best_row(const std::vector<Mark>& marks, const Frame& frame) {
  auto out = in_a_row(marks, frame, true);
  return out.size() == marks.size() ? out : in_a_row(marks, frame, false);
}

struct Found {
  std::vector<stats::Cliff> cliffs;
  std::vector<SystemCache> caches;
  std::vector<Mark> cliff_marks, cache_marks;
};

Found found_in(const CacheCurve& curve, const std::vector<SystemCache>& caches,
               const Frame& frame) {
  Found out;
  if (curve.cliffs) {
    for (const stats::Cliff& cliff : curve.cliffs->cliffs) {
      const double at = cliff.capacity.value;
      if (out.cliffs.size() == kMostLevels || !frame.x.holds(at)) continue;
      out.cliffs.push_back(cliff);
      const std::string text = size_text(at);
      out.cliff_marks.push_back({frame.column(at), text, text});
    }
  }
  for (const SystemCache& cache : caches) {
    if (out.caches.size() == kMostLevels || !plausible(Quantity::bytes, cache.bytes)) continue;
    out.caches.push_back(cache);
    if (!frame.x.holds(cache.bytes)) continue;
    const std::string name = cut(clean(cache.name), 8);
    out.cache_marks.push_back(
        {frame.column(cache.bytes), name, name + " " + size_text(cache.bytes)});
  }
  const auto by_column = [](const Mark& x, const Mark& y) { return x.column < y.column; };
  std::stable_sort(out.cliff_marks.begin(), out.cliff_marks.end(), by_column);
  std::stable_sort(out.cache_marks.begin(), out.cache_marks.end(), by_column);
  return out;
}

Frame frame_of(const CacheCurve& curve, const std::vector<Place>& places, int top, int width) {
  std::vector<double> x, y;
  for (const Place& place : places) {
    x.push_back(place.x);
    y.push_back(place.y);
  }
  return make_frame(
      log_axis(Quantity::bytes, x, 64, 0.02),
      is_chase(curve) ? log_axis(Quantity::ns, y, 20, 0.06) : linear_axis(Quantity::byte_per_s, y),
      top, width, picture::rows_of(width));
}

void draw_model(Canvas& canvas, const Frame& frame, const CacheCurve& curve) {
  if (!curve.cliffs || curve.cliffs->fitted.size() != curve.bytes.size()) return;
  std::vector<Place> line;
  for (size_t i = 0; i < curve.bytes.size(); ++i) {
    const double ns = curve.cliffs->fitted[i];
    if (has_place(curve, curve.bytes[i], ns)) line.push_back({curve.bytes[i], shown(curve, ns)});
  }
  draw_line(canvas, frame, line, Ink::yellow);
}

void draw_marks(Canvas& canvas, const Frame& frame, const Found& found) {
  for (const stats::Cliff& cliff : found.cliffs) {
    draw_upright(canvas, frame, cliff.capacity.value, U'│', Ink::magenta);
    const double lo = cliff.capacity.interval.lo, hi = cliff.capacity.interval.hi;
    if (!(lo > 0) || !(hi >= lo) || !std::isfinite(hi)) continue;
    const int axis = frame.top + frame.rows;
    for (int at = frame.column(lo); at <= frame.column(hi); ++at) {
      if (canvas.glyph(at, axis) == U'─') canvas.put(at, axis, U'━', Ink::magenta);
    }
  }
  for (const SystemCache& cache : found.caches) {
    if (frame.x.holds(cache.bytes)) {
      draw_upright(canvas, frame, cache.bytes, U'┊', Ink::cyan);
    }
  }
}

std::string sizes_text(size_t sizes, size_t places) {
  if (places == sizes) return fmt::format("{} sizes", sizes);
  return fmt::format("{} sizes in {} places", sizes, places);
}

void write_legend(Canvas& canvas, const CacheCurve& curve, const Found& found, size_t drawn,
                  size_t places) {
  std::string legend = fmt::format("• measured ({})", sizes_text(drawn, places));
  if (curve.cliffs) legend += ", " + held("⠤⠤ the model fitted");
  if (!found.cliffs.empty()) legend += ", " + held("│ a cliff,") + " " + held("━ its 95 %");
  if (!found.cache_marks.empty()) legend += ", " + held("┊ a cache that the system reports");
  picture::say(canvas, legend);
  if (!curve.cliffs) {
    picture::say(canvas, "Too few sizes to tell cliffs.");
  } else if (curve.cliffs->cliffs.empty()) {
    picture::say(canvas, "No cliff: a smooth line fits as well.");
  } else if (!found.cliffs.empty()) {
    std::string levels;
    for (const stats::Cliff& cliff : found.cliffs) {
      levels += held(fmt::format("{} to {},", level_text(curve, cliff.before),
                                 size_text(cliff.capacity.value))) +
                " ";
    }
    picture::say(
        canvas, "Levels: " + levels + held("then " + level_text(curve, found.cliffs.back().after)));
  }
  std::string caches;
  for (const SystemCache& cache : found.caches) {
    caches += (caches.empty() ? "" : ", ") +
              held(cut(clean(cache.name), 20) + " " + size_text(cache.bytes));
  }
  if (!caches.empty()) picture::say(canvas, "The system reports: " + caches);
  if (drawn < curve.bytes.size()) {
    picture::say(canvas, fmt::format("{} of {} sizes are not drawn: they have no time.",
                                     curve.bytes.size() - drawn, curve.bytes.size()));
  }
}

}  // namespace

std::string cache_picture(const CacheCurve& curve, const std::vector<SystemCache>& caches,
                          const Style& style) {
  std::vector<Place> places;
  for (size_t i = 0; i < std::min(curve.bytes.size(), curve.ns.size()); ++i) {
    if (has_place(curve, curve.bytes[i], curve.ns[i])) {
      places.push_back({curve.bytes[i], shown(curve, curve.ns[i])});
    }
  }
  if (places.empty()) return "";
  const auto width = picture::width_of(style);
  if (!width) return picture::too_narrow(style, "the caches");

  Frame frame = frame_of(curve, places, 0, *width);
  const Found found = found_in(curve, caches, frame);
  const int rows_above = 1 + !found.cliff_marks.empty() + !found.cache_marks.empty();
  frame.top = rows_above;
  Canvas canvas(*width, frame.top + frame.rows + kRowsOfAxis);
  const std::string what = fmt::format("{} on {}:{}, {}", name(curve.op), clean(curve.worker),
                                       clean(curve.device), clean(curve.settings));
  const std::string title = (is_chase(curve) ? "Time of an access over the working set: "
                                             : "Bandwidth over the working set: ") +
                            what;
  canvas.write(0, 0, columns_of(title) <= *width ? title : cut(what, *width), Ink::bold);
  int row = 1;
  const auto write_marks = [&](const std::vector<Mark>& marks, const std::string& header, Ink ink) {
    if (marks.empty()) return;
    canvas.write(frame.left - 2 - columns_of(header), row, header, Ink::faint);
    for (const Written& text : best_row(marks, frame))
      canvas.write(text.start, row, text.text, ink);
    ++row;
  };
  write_marks(found.cliff_marks, "cliffs", Ink::magenta);
  write_marks(found.cache_marks, "caches", Ink::cyan);

  draw_axes(canvas, frame, {"working set"});
  draw_model(canvas, frame, curve);
  std::set<std::pair<int, int>> cells;
  for (const Place& place : places) {
    const auto cell = std::pair(frame.column(place.x), frame.row(place.y));
    canvas.put(cell.first, cell.second, U'•', Ink::green);
    cells.insert(cell);
  }
  draw_marks(canvas, frame, found);
  write_legend(canvas, curve, found, places.size(), cells.size());
  return canvas.text(style);
}

}  // namespace ridge
