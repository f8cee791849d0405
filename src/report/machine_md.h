#pragma once

#include <string>

#include "machine/machine.h"

namespace ridge::report {

// Tables that paste into GitHub: one a part of the machine. What is not known says why.
std::string machine_markdown(const Machine& machine);

// One line for the head of a report: processor, cores, memory, GPUs.
std::string machine_line(const Machine& machine);

}  // namespace ridge::report
