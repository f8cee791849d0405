#pragma once

namespace ridge::sdk {

// Nanoseconds since an arbitrary start, on the clock that every host time here is taken with.
double now_ns();

struct ClockCost {
  double tick_ns = 0;      // smallest step seen between two readings
  double overhead_ns = 0;  // median of 1000 empty timed regions: what a sample contains too much
};

ClockCost calibrate_clock();

}  // namespace ridge::sdk
