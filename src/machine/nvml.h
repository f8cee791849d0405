#pragma once

#include <string>

#include "machine/machine.h"

namespace ridge::machine {

// NVIDIA's devices as the driver's management library tells them. It is opened by this name at run
// time; where it is absent, or has no device, the answer is an empty list with the reason.
Nvidia read_nvidia(const std::string& library);

}  // namespace ridge::machine
