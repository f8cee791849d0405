#pragma once

#include <string_view>

namespace ridge {

// Whether a worker's device is this machine's processor, by the worker's name, or by the device's
// id or its name for people.
bool names_processor(std::string_view worker, std::string_view id, std::string_view name);

}  // namespace ridge
