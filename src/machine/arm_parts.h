#pragma once

#include <cstdint>
#include <string>

namespace ridge::machine {

// The name of an Arm core by the implementer and part numbers of its MIDR register, as in
// /proc/cpuinfo; empty if it is not in our table.
std::string arm_core_name(int64_t implementer, int64_t part);
std::string arm_implementer_name(int64_t implementer);

}  // namespace ridge::machine
