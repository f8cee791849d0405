#pragma once

#include <span>
#include <string>
#include <vector>

#include "machine/machine.h"

namespace ridge::machine {

// Those of "NAME=value" that change how ML libraries run (OMP_, CUDA_, PYTORCH_, …), sorted by
// name. An empty value is marked, since it means unset; what looks like a secret is masked.
std::vector<EnvironmentVariable> relevant_environment(std::span<const std::string> environment);

}  // namespace ridge::machine
