#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Reads a picture as people do: by its axes, ticks and labels, knowing nothing of how it was drawn.
namespace report_test {

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

inline std::u32string code_points(const std::string& text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    const unsigned first = byte(i);
    const size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (more > 0 && first < 0xC0) throw std::runtime_error("not UTF-8: " + text);
    char32_t code = more == 0 ? first : first & (0x3Fu >> more);
    for (size_t j = 1; j <= more; ++j) {
      if ((byte(i + j) & 0xC0) != 0x80) throw std::runtime_error("not UTF-8: " + text);
      code = (code << 6) | (byte(i + j) & 0x3Fu);
    }
    out += code;
    i += more + 1;
  }
  return out;
}

inline std::string without_escapes(std::string text) {
  for (size_t at; (at = text.find('\x1b')) != std::string::npos;) {
    text.erase(at, text.find('m', at) + 1 - at);
  }
  return text;
}

inline bool is_braille(char32_t code) { return code > 0x2800 && code < 0x2900; }

// "500 GFLOPS", "32 KiB", "0.1"
inline double value_of(const std::string& label) {
  static const std::map<std::string, double> units = {
      {"", 1},          {"FLOPS", 1},     {"kFLOPS", 1e3},  {"MFLOPS", 1e6}, {"GFLOPS", 1e9},
      {"TFLOPS", 1e12}, {"PFLOPS", 1e15}, {"EFLOPS", 1e18}, {"B", 1},        {"KiB", 0x1p10},
      {"MiB", 0x1p20},  {"GiB", 0x1p30},  {"TiB", 0x1p40},  {"PiB", 0x1p50}, {"s", 1e9},
      {"ns", 1},        {"us", 1e3},      {"ms", 1e6},      {"B/s", 1},      {"kB/s", 1e3},
      {"MB/s", 1e6},    {"GB/s", 1e9},    {"TB/s", 1e12}};
  std::istringstream in(label);
  double number = 0;
  std::string unit;
  if (!(in >> number)) throw std::runtime_error("no number: " + label);
  in >> unit;
  return number * units.at(unit);
}

struct Scale {
  bool logarithmic = true;
  std::vector<std::pair<double, int>> ticks;  // value, cell

  double on(double value) const { return logarithmic ? std::log10(value) : value; }
  // Between the first and the last tick: 0 to 1.
  double part(double value) const {
    const double a = on(ticks.front().first), b = on(ticks.back().first);
    return (on(value) - a) / (b - a);
  }
  double cell(double value) const {
    return ticks.front().second + part(value) * (ticks.back().second - ticks.front().second);
  }
  double value(double cell) const {
    const double a = on(ticks.front().first), b = on(ticks.back().first);
    const double at =
        a + (b - a) * (cell - ticks.front().second) / (ticks.back().second - ticks.front().second);
    return logarithmic ? std::pow(10, at) : at;
  }
  // Ticks and marks are each known to a cell, which counts for more beyond the ticks.
  bool near(double value, int found) const {
    const double slack = 0.5 + 0.5 * std::max(1.0, std::fabs(2 * part(value) - 1));
    return std::fabs(cell(value) - found) <= slack + 0.01;
  }
};

// The first picture in a text.
struct Reader {
  int left = 0, right = 0, top = 0, bottom = 0;  // of the frame; right and bottom just beyond
  Scale x, y;
  std::map<std::pair<int, int>, char32_t> cells;  // column, row: what is not blank

  explicit Reader(const std::string& text) {
    std::vector<std::u32string> lines;
    for (const std::string& line : lines_of(text)) lines.push_back(code_points(line));
    const auto at = [&](int row, int column) {
      const auto& line = lines.at(static_cast<size_t>(row));
      return static_cast<size_t>(column) < line.size() ? line[static_cast<size_t>(column)] : U' ';
    };
    for (size_t row = 1; row < lines.size() && bottom == 0; ++row) {
      const size_t first = lines[row].find_first_not_of(U' ');
      if (first == std::u32string::npos || first + 1 >= lines[row].size()) continue;
      const char32_t corner = lines[row][first], next = lines[row][first + 1];
      if (corner == U'└' || (corner == U'+' && (next == U'-' || next == U'+' || next == U'='))) {
        bottom = static_cast<int>(row);
        left = static_cast<int>(first) + 1;
        right = static_cast<int>(lines[row].size());
      }
    }
    if (bottom == 0) throw std::runtime_error("no frame in:\n" + text);
    const auto is_tick = [](char32_t c) { return c == U'┤' || c == U'+'; };
    for (top = bottom; top > 0; --top) {
      const char32_t edge = at(top - 1, left - 1);
      if (!is_tick(edge) && edge != U'│' && edge != U'|') break;
      if (!is_tick(edge)) continue;
      std::string label;
      for (int column = 0; column < left - 1; ++column)
        label += static_cast<char>(at(top - 1, column));
      y.ticks.push_back({value_of(label), top - 1});
      y.logarithmic = y.logarithmic && y.ticks.back().first != 0;
    }
    std::vector<int> columns;
    for (int column = left; column < right; ++column) {
      if (at(bottom, column) == U'┬' || at(bottom, column) == U'+') columns.push_back(column);
    }
    std::vector<std::string> labels;
    int blanks = 2;
    for (const char32_t code : lines.at(static_cast<size_t>(bottom) + 1)) {
      if (code == U' ') {
        ++blanks;
        continue;
      }
      if (blanks >= 2) labels.emplace_back();
      if (blanks == 1) labels.back() += ' ';
      labels.back() += static_cast<char>(code);
      blanks = 0;
    }
    if (labels.size() != columns.size()) throw std::runtime_error("labels that touch:\n" + text);
    for (size_t i = 0; i < labels.size(); ++i) x.ticks.push_back({value_of(labels[i]), columns[i]});
    for (int row = top; row < bottom; ++row) {
      for (int column = left; column < right; ++column) {
        if (at(row, column) != U' ') cells[{column, row}] = at(row, column);
      }
    }
  }

  bool near(double x_value, double y_value, std::pair<int, int> cell) const {
    return x.near(x_value, cell.first) && y.near(y_value, cell.second);
  }
};

}  // namespace report_test
