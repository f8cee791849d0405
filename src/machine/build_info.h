#pragma once

#include "machine/machine.h"

namespace ridge::machine {

// Compiler and libraries that this program was built with.
Build build_info();

}  // namespace ridge::machine
