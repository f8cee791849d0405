#pragma once

#include <string>

namespace ridge::llamacpp {

// What ggml and libllama log: warnings and errors go to stderr, and all is kept, up to 64 KiB.
void keep_log();
// What was logged since the last call.
std::string take_log();
// The first line of an error in it, without the name of the function that says it.
std::string first_error(const std::string& log);

}  // namespace ridge::llamacpp
