#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ridge {

// True for the line with which glibc's loader gives up: it names a library, not where it looked.
bool lacks_a_library(std::string_view stderr_line);

// Asks the loader again, without running the program, and makes one line of its answer: "needs
// libtorch.so, which is not installed here (looked in /opt/x/lib, /etc/ld.so.cache, …)". None if it
// finds everything, or is another loader.
std::optional<std::string> explain_missing_libraries(const std::string& executable);

// Of a worker that the system killed before it said a word: a library that is shorter than its own
// headers say (a download that broke off) ends a process without a message. One line, or none if
// all are whole.
std::optional<std::string> explain_cut_library(const std::string& executable);

// Of explain_missing_libraries(): the line from what the loader prints under
// LD_TRACE_LOADED_OBJECTS (ld.so(8): what ldd shows) and under LD_DEBUG=libs.
std::optional<std::string> describe_missing_libraries(std::string_view traced,
                                                      std::string_view debug);

}  // namespace ridge
