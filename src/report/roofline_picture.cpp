#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>

#include "base/units.h"
#include "report/picture_parts.h"
#include "report/pictures.h"
#include "report/plot.h"

namespace ridge {
namespace {

constexpr size_t kMostPictures = 8;
constexpr size_t kMostFlats = 8;
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr int kMostKey = 60;

// The roof of products of one dtype.
struct Flat {
  std::string operation;
  double rate = 0;
  double ridge = 0;  // FLOP per byte; 0: memory has no roof
  Ink ink = Ink::plain;
};

struct Scene {
  std::string device;
  int threads = 0;
  double memory = 0;        // byte/s; 0: no roof
  std::vector<Flat> flats;  // the lowest first
  size_t flats_left_out = 0;
  std::vector<RooflinePoint> points;  // that have a place
  std::vector<char> letters;          // of each point; 0: none
};

bool has_place(const RooflinePoint& point) {
  return plausible(Quantity::flop_per_byte, point.intensity) &&
         plausible(Quantity::flop_per_s, point.rate);
}

// Three digits, for a table.
std::string number(double value) {
  if (value < 0.01 || value >= 999999.5) return fmt::format("{:.1e}", value);
  return fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

std::string flops(double rate) { return show_rate(rate, RateUnit::flop_per_s); }

void add_roofs(Scene& scene, const Roofline& roofline) {
  static constexpr std::array<Ink, 6> inks = {Ink::cyan,  Ink::yellow, Ink::magenta,
                                              Ink::green, Ink::blue,   Ink::red};
  std::map<std::string, double> best;
  for (const Roof& roof : roofline.roofs) {
    if (roof.device != scene.device || roof.threads != scene.threads) continue;
    const double rate = roof.rate.value;
    if (roof.kind == Roof::Kind::memory && roof.operation == "read" && roof.level == "memory" &&
        plausible(Quantity::byte_per_s, rate)) {
      scene.memory = std::max(scene.memory, rate);
    } else if (roof.kind == Roof::Kind::compute && plausible(Quantity::flop_per_s, rate)) {
      double& most = best[roof.operation];
      most = std::max(most, rate);
    }
  }
  for (const auto& [operation, rate] : best)
    scene.flats.push_back({.operation = operation, .rate = rate});
  std::sort(scene.flats.begin(), scene.flats.end(), [](const Flat& x, const Flat& y) {
    return std::tie(x.rate, x.operation) < std::tie(y.rate, y.operation);
  });
  if (scene.flats.size() > kMostFlats) {
    scene.flats_left_out = scene.flats.size() - kMostFlats;
    scene.flats.erase(scene.flats.begin(),
                      scene.flats.begin() + static_cast<std::ptrdiff_t>(scene.flats_left_out));
  }
  for (size_t i = 0; i < scene.flats.size(); ++i) {
    Flat& flat = scene.flats[i];
    const double ridge = scene.memory > 0 ? flat.rate / scene.memory : 0;
    flat.ridge = plausible(Quantity::flop_per_byte, ridge) ? ridge : 0;
    flat.ink = inks[i % inks.size()];
  }
}

const Flat* flat_of(const Scene& scene, const std::string& operation) {
  for (const Flat& flat : scene.flats) {
    if (flat.operation == operation) return &flat;
  }
  return nullptr;
}

// By the roof they belong to, then from left to right: letters then read as a line does.
void sort_points(Scene& scene) {
  const auto rank = [&](const RooflinePoint& point) {
    const Flat* flat = flat_of(scene, point.operation);
    return flat ? flat - scene.flats.data() : static_cast<std::ptrdiff_t>(scene.flats.size());
  };
  std::sort(scene.points.begin(), scene.points.end(),
            [&](const RooflinePoint& x, const RooflinePoint& y) {
              const auto of_x = rank(x), of_y = rank(y);
              return std::tie(of_x, x.operation, x.intensity, x.rate, x.key) <
                     std::tie(of_y, y.operation, y.intensity, y.rate, y.key);
            });
}

Frame frame_of(const Scene& scene, int width) {
  std::vector<double> x, y;
  for (const RooflinePoint& point : scene.points) {
    x.push_back(point.intensity);
    y.push_back(point.rate);
  }
  for (const Flat& flat : scene.flats) {
    y.push_back(flat.rate);
    if (flat.ridge > 0) x.push_back(flat.ridge);
  }
  // So much of the slope is to be seen.
  if (!scene.flats.empty() && scene.flats.front().ridge > 0) {
    x.push_back(scene.flats.front().ridge / 8);
    y.push_back(scene.flats.front().rate / 8);
  }
  return make_frame(log_axis(Quantity::flop_per_byte, x, 100, 0.06),
                    log_axis(Quantity::flop_per_s, y, 20, 0.08), 1, width, picture::rows_of(width));
}

void draw_roofs(Canvas& canvas, const Frame& frame, const Scene& scene) {
  if (scene.memory > 0) {
    double end = frame.x.hi;
    if (!scene.flats.empty() && scene.flats.back().ridge > 0) end = scene.flats.back().ridge;
    const Place slope[] = {{frame.x.lo, scene.memory * frame.x.lo}, {end, scene.memory * end}};
    draw_line(canvas, frame, slope, Ink::plain);
  }
  for (const Flat& flat : scene.flats) {
    const Place roof[] = {{flat.ridge > 0 ? flat.ridge : frame.x.lo, flat.rate},
                          {frame.x.hi, flat.rate}};
    draw_line(canvas, frame, roof, flat.ink);
  }
  for (const Flat& flat : scene.flats) {
    if (flat.ridge > 0) canvas.put(frame.column(flat.ridge), frame.row(flat.rate), U'◇', flat.ink);
  }
}

// A letter for each place, and so for the rows in it; a bullet where there are too many rows.
void draw_points(Canvas& canvas, const Frame& frame, Scene& scene) {
  const size_t count = scene.points.size(), most = std::min(count, kLetters.size());
  scene.letters.assign(count, 0);
  std::map<std::pair<int, int>, char> taken;
  size_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i * most / count == (i + 1) * most / count) continue;  // evenly from all of them
    const RooflinePoint& point = scene.points[i];
    const auto place = std::pair(frame.column(point.intensity), frame.row(point.rate));
    const auto [at, is_new] = taken.try_emplace(place, kLetters[next]);
    if (is_new) ++next;
    scene.letters[i] = at->second;
  }
  for (size_t i = 0; i < count; ++i) {
    const RooflinePoint& point = scene.points[i];
    const int column = frame.column(point.intensity), row = frame.row(point.rate);
    const Flat* flat = flat_of(scene, point.operation);
    const auto at = taken.find({column, row});
    if (at == taken.end()) {
      canvas.put(column, row, U'•', flat ? flat->ink : Ink::plain);
    } else if (scene.letters[i] != 0) {
      canvas.put(column, row, static_cast<char32_t>(at->second), flat ? flat->ink : Ink::bold);
    }
  }
}

// What does not find room stands in the legend alone.
void write_labels(Canvas& canvas, const Frame& frame, const Scene& scene) {
  for (const Flat& flat : scene.flats) {
    const std::string text = cut(clean(flat.operation), 12) + " " + flops(flat.rate);
    const int row = frame.row(flat.rate), length = columns_of(text);
    const int from = flat.ridge > 0 ? frame.column(flat.ridge) : frame.left;
    bool done = false;
    for (const int beside : {row - 1, row + 1}) {
      for (int at = frame.left + frame.columns - length; !done && at > from; --at) {
        done = write_free(canvas, frame, at, beside, text, flat.ink);
      }
    }
  }
  if (scene.memory <= 0) return;
  const std::string text = "read " + show_rate(scene.memory, RateUnit::byte_per_s);
  std::map<int, std::pair<int, int>> slope;  // row: its first and last column
  for (int i = 0; i < frame.columns; ++i) {
    const double rate = scene.memory * frame.x.value((i + 0.5) / frame.columns);
    if (!frame.y.holds(rate) || (!scene.flats.empty() && rate > scene.flats.back().rate)) continue;
    const auto [at, is_new] = slope.try_emplace(frame.row(rate), frame.left + i, frame.left + i);
    at->second.second = frame.left + i;
  }
  std::vector<int> rows;
  for (const auto& [row, columns] : slope) rows.push_back(row);
  const int middle = rows.empty() ? 0 : rows[rows.size() / 2];
  std::stable_sort(rows.begin(), rows.end(),
                   [&](int x, int y) { return std::abs(x - middle) < std::abs(y - middle); });
  for (const bool left : {true, false}) {
    for (const int row : rows) {
      const auto [first, last] = slope[row];
      const int at = left ? first - 2 - columns_of(text) : last + 3;
      if (write_free(canvas, frame, at, row, text, Ink::plain)) return;
    }
  }
}

void write_roofs(Canvas& canvas, const Scene& scene) {
  std::string roofs, ridges;
  if (scene.memory > 0) {
    roofs = held("memory read " + show_rate(scene.memory, RateUnit::byte_per_s));
  }
  for (const Flat& flat : scene.flats) {
    const std::string name = cut(clean(flat.operation), 20);
    roofs += (roofs.empty() ? "" : ", ") + held(name + " " + flops(flat.rate));
    if (flat.ridge <= 0) continue;
    ridges += (ridges.empty() ? "" : ", ") + held(name + " " + number(flat.ridge));
  }
  if (scene.flats_left_out > 0) {
    roofs += fmt::format("; {} lower ones are left out", scene.flats_left_out);
  }
  picture::say(canvas, roofs.empty() ? "No roof was measured." : "Roofs, measured: " + roofs);
  if (!ridges.empty()) picture::say(canvas, "◇ ridge points, FLOP/byte: " + ridges);
}

// What all keys end in from their '@' on; empty where they differ.
std::string common_settings(const Scene& scene) {
  std::string common;
  for (const RooflinePoint& point : scene.points) {
    const size_t at = point.key.find('@');
    if (at == std::string::npos || at == 0) return "";
    const std::string settings = point.key.substr(at);
    if (!common.empty() && settings != common) return "";
    common = settings;
  }
  return common;
}

// The rows that have a letter, in as many columns as there is room for.
void write_rows(Canvas& canvas, const Scene& scene, const std::string& settings) {
  struct Entry {
    std::string letter, key, intensity, rate;
    Ink ink = Ink::plain;
  };
  std::vector<Entry> entries;
  int key_width = 4;
  for (size_t i = 0; i < scene.points.size(); ++i) {
    if (scene.letters[i] == 0) continue;
    const RooflinePoint& point = scene.points[i];
    std::string_view key = point.key;
    key.remove_suffix(settings.size());
    const Flat* flat = flat_of(scene, point.operation);
    entries.push_back({std::string(1, scene.letters[i]), cut(clean(key), kMostKey),
                       number(point.intensity), flops(point.rate), flat ? flat->ink : Ink::bold});
    key_width = std::max(key_width, columns_of(entries.back().key));
  }
  // Where it is narrow the intensity is left to the picture.
  const int intensity = canvas.columns() < 60 ? 0 : 2 + 9, rate = 2 + 11, gap = 4;
  key_width = std::min(key_width, canvas.columns() - 2 - intensity - rate);
  const int width = 2 + key_width + intensity + rate;
  const int abreast = std::max(1, (canvas.columns() + gap) / (width + gap));
  const int lines = (static_cast<int>(entries.size()) + abreast - 1) / abreast;
  const int top = canvas.add_rows(lines + 1);
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    const int left = static_cast<int>(i) / lines * (width + gap);
    const int row = top + 1 + static_cast<int>(i) % lines;
    const auto right = [&](int end, int line, const std::string& text, Ink ink) {
      canvas.write(left + end - columns_of(text), line, text, ink);
    };
    if (row == top + 1) {
      if (intensity > 0) right(2 + key_width + intensity, top, "FLOP/byte", Ink::faint);
      right(width, top, "measured", Ink::faint);
    }
    canvas.write(left, row, entry.letter, entry.ink);
    canvas.write(left + 2, row, cut(entry.key, key_width));
    if (intensity > 0) right(2 + key_width + intensity, row, entry.intensity, Ink::plain);
    right(width, row, entry.rate, Ink::plain);
  }
  if (entries.size() < scene.points.size()) {
    picture::say(canvas, fmt::format("{} of {} rows have a letter, evenly from all of them; the "
                                     "others are •, or hidden by one.",
                                     entries.size(), scene.points.size()));
  }
}

std::string picture_of(Scene& scene, const Style& style, int width) {
  sort_points(scene);
  const Frame frame = frame_of(scene, width);
  Canvas canvas(width, frame.top + frame.rows + kRowsOfAxis);
  const std::string settings = common_settings(scene);
  std::string title = fmt::format("Roofline of {}, {}", clean(scene.device),
                                  scene.threads == 0   ? "all threads"
                                  : scene.threads == 1 ? "1 thread"
                                                       : fmt::format("{} threads", scene.threads));
  const std::string rows = settings.empty() ? "" : ": rows " + clean(settings);
  const bool together = columns_of(title) + columns_of(rows) <= width;
  canvas.write(0, 0, cut(together ? title + rows : title, width), Ink::bold);
  draw_axes(canvas, frame, {"executed FLOP per byte of memory", "FLOP per byte"});
  draw_roofs(canvas, frame, scene);
  draw_points(canvas, frame, scene);
  write_labels(canvas, frame, scene);
  write_roofs(canvas, scene);
  if (!together) picture::say(canvas, cut("Rows " + clean(settings), 3 * width));
  write_rows(canvas, scene, settings);
  return canvas.text(style);
}

}  // namespace

RooflinePoint roofline_point(const Row& row, const std::string& physical_device) {
  RooflinePoint point{.key = row.row_key(),
                      .device = physical_device,
                      .threads = row.settings.threads,
                      .operation = dtype_or_operation(row.work)};
  const double bytes = row.cost.bytes_read + row.cost.bytes_written;
  if (row.status != Status::ok || !row.time.median_ns || !(*row.time.median_ns > 0) ||
      !(bytes > 0)) {
    return point;
  }
  point.intensity = row.cost.executed_flops / bytes;
  point.rate = row.cost.executed_flops * 1e9 / *row.time.median_ns;
  return point;
}

std::string roofline_picture(const Roofline& roofline, const std::vector<RooflinePoint>& rows,
                             const Style& style) {
  std::map<std::pair<std::string, int>, Scene> scenes;
  size_t without = 0;
  for (const RooflinePoint& row : rows) {
    if (!has_place(row)) {
      ++without;
      continue;
    }
    Scene& scene = scenes[{row.device, row.threads}];
    scene.device = row.device;
    scene.threads = row.threads;
    scene.points.push_back(row);
  }
  if (scenes.empty()) return "";
  const auto width = picture::width_of(style);
  if (!width) return picture::too_narrow(style, "the roofline");
  std::string out;
  size_t drawn = 0;
  for (auto& [key, scene] : scenes) {
    if (drawn++ == kMostPictures) break;
    add_roofs(scene, roofline);
    out += (out.empty() ? "" : "\n") + picture_of(scene, style, *width);
  }
  Canvas below(*width, 0);
  if (scenes.size() > kMostPictures) {
    picture::say(below, fmt::format("{} more devices or numbers of threads are not drawn.",
                                    scenes.size() - kMostPictures));
  }
  if (without > 0) {
    picture::say(below, fmt::format("{} of {} rows are not drawn: they have no FLOPs, no bytes or "
                                    "no time.",
                                    without, rows.size()));
  }
  return out + below.text(style);
}

}  // namespace ridge
