#pragma once

#include <functional>
#include <string>

namespace ridge::cpu {

// Runs `works` in a child process: a processor that promises an instruction it does not have kills
// the child, not us. Empty: it returned true; else what happened: "killed by signal 4 (…)".
// Call before any other thread computes.
std::string trial(const std::function<bool()>& works);

}  // namespace ridge::cpu
