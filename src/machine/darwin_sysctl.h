// Written after Apple's headers; not run here.
#pragma once

#include <cstdint>
#include <string>

#include "machine/known.h"

namespace ridge::machine {

Known<std::string> sysctl_text(const char* name);
Known<int64_t> sysctl_number(const char* name);  // of 4 or 8 bytes
// Free and inactive pages, as psutil counts what is available; bytes.
Known<int64_t> darwin_available_bytes();

}  // namespace ridge::machine
