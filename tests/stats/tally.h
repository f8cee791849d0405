#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace ridge::stats::sim {

// How often something happened in simulations.
struct Share {
  int64_t hits = 0, of = 0;
  void add(bool hit) { hits += hit, ++of; }
  double value() const { return static_cast<double>(hits) / static_cast<double>(of); }
  // From 2000 the whole one-sided 95 % bound must lie on the right side; from 1000 the figure
  // itself; with fewer the 99.5 % bound must not lie on the wrong side.
  double error() const {
    const double error = std::sqrt(value() * (1 - value()) / static_cast<double>(of));
    return of >= 2000 ? 1.645 * error : of >= 1000 ? 0 : -2.576 * error;
  }
  double at_least() const { return value() - error(); }
  double at_most() const { return value() + error(); }
  std::string text() const {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, of == 0 ? "–" : "%.1f", 100 * value());
    return buffer;
  }
};

inline std::string ratio(double value) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, std::isnan(value) ? "–" : "%.2f", value);
  return buffer;
}

inline double deviation(const std::vector<double>& values) {
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

// RIDGE_SIMULATION_SCALE multiplies the runs, for figures with less noise.
inline int scale() {
  const char* text = std::getenv("RIDGE_SIMULATION_SCALE");
  const int times = text ? std::atoi(text) : 1;
  return times > 1 ? times : 1;
}

}  // namespace ridge::stats::sim
