#pragma once

#include <string>

namespace ridge::llamacpp {

// An open file that no folder names, in memory where the system has such; -1 and errno.
int nameless_file();
// By which this process can open it once more.
std::string path_of(int file);

}  // namespace ridge::llamacpp
