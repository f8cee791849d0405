#pragma once

#include <string>
#include <vector>

#include "machine/chips.h"

namespace ridge::report {

// A table: which chip of the database each device is, with its dense peaks and memory bandwidth;
// an unknown one says why, and which are nearest.
std::string chips_markdown(const std::vector<DeviceChip>& devices);

}  // namespace ridge::report
