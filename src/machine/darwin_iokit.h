// Written after Apple's headers; not run here.
#pragma once

#include <string>

#include "machine/known.h"
#include "machine/machine.h"

namespace ridge::machine {

Known<std::string> iokit_power_source();  // "ac" or "battery"
AppleGpu iokit_gpu();

}  // namespace ridge::machine
