#pragma once

#include <cstdint>
#include <string>

namespace ridge::sdk {

// Bytes that a process may still take here without pushing others out: the kernel's estimate of
// available memory, cut by what is left under the limit of every control group we are in (file
// pages that the kernel would drop count as left), and by half an address space that is limited.
// `root` stands before the paths, for tests.
int64_t available_memory(const std::string& root = "");

}  // namespace ridge::sdk
