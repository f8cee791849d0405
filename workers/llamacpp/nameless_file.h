#pragma once

#include <string>

namespace ridge::llamacpp {

enum class Lies { in_memory, on_disk };

// An open file that no folder names: in memory, where the system has such files, or in the folder
// for temporary ones; -1 and errno.
int nameless_file(Lies where);
// By which this process can open it once more.
std::string path_of(int file);

}  // namespace ridge::llamacpp
