#pragma once

#include <cstdint>
#include <string>

namespace ridge::sdk {

// Bytes that a process may still take here without pushing others out: the kernel's estimate of
// available memory, cut by what is left under the limit of every control group we are in (file
// pages that the kernel would drop count as left). `root` stands before the paths, for tests.
int64_t available_memory(const std::string& root = "");

// Bytes that a process may map, whatever it touches: its address space limit; the largest number
// where there is none.
int64_t mappable_memory();

}  // namespace ridge::sdk
