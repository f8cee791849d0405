#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "workload/settings.h"

// Files whose bytes lie in the system's page cache, or do not: what `cold` and `hot` mean for work
// that reads a file.
namespace ridge::sdk {

// ok, or why no file at `path` can be read cold: it lies in memory, or the system drops no single
// file's pages.
Result<void> can_be_cold(const std::string& path);
// The same of files in the folder for temporary ones.
Result<void> temporary_can_be_cold();

// Brings an open file's first `bytes` into the state that a sample needs: cold, none of them in the
// page cache (at most 1 %), else all of them, which are read where they are not. Throws
// std::runtime_error where the system will not, or does not tell.
void make_pages(int file, int64_t bytes, CacheMode cache);

}  // namespace ridge::sdk
