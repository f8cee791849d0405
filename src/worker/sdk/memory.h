#pragma once

#include <cstdint>
#include <string>

namespace ridge::sdk {

// Bytes that a process may still take here without pushing others out: the kernel's estimate of
// available memory, cut by what is left under the limit of every control group we are in (file
// pages that the kernel would drop count as left), and by mappable_memory().
// `root` stands before the paths, for tests.
int64_t available_memory(const std::string& root = "");

// Half of what the limits of this process (`ulimit -v`, `ulimit -d`) let it map: libraries, stacks
// and allocators need room too. The largest number where there is no limit.
int64_t mappable_memory();

// Whether `bytes` go into `available` ones with something to spare, and what to say if not.
bool fits(int64_t bytes, int64_t available);
std::string too_large(int64_t bytes, int64_t available);

}  // namespace ridge::sdk
