#include "worker/sdk/page_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <vector>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

namespace ridge::sdk {
namespace {

constexpr double kFew = 0.01;  // of a file, on the wrong side
constexpr int64_t kPiece = int64_t{8} << 20;

#ifdef __linux__
using PageFlag = unsigned char;
#else
using PageFlag = char;
#endif

// Of a file that is neither ours nor writable the kernel says that all of it is there.
bool kernel_tells(int file) {
  struct stat about {};
  if (::fstat(file, &about) != 0) return false;
  const uid_t me = ::geteuid();
  return me == 0 || about.st_uid == me || (::fcntl(file, F_GETFL) & O_ACCMODE) == O_RDWR;
}

// The part of a file that the page cache holds; nullopt: nobody tells.
std::optional<double> cached(int file, int64_t bytes) {
  if (!kernel_tells(file)) return std::nullopt;
  const auto page = static_cast<int64_t>(::sysconf(_SC_PAGESIZE));
  void* at = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) return std::nullopt;
  std::vector<PageFlag> pages(static_cast<size_t>((bytes + page - 1) / page));
  const bool told = ::mincore(at, static_cast<size_t>(bytes), pages.data()) == 0;
  ::munmap(at, static_cast<size_t>(bytes));
  if (!told) return std::nullopt;
  const auto present = std::count_if(pages.begin(), pages.end(), [](auto p) { return p & 1; });
  return static_cast<double>(present) / static_cast<double>(pages.size());
}

void read_through(int file, int64_t bytes) {
  std::vector<char> piece(static_cast<size_t>(std::min(kPiece, bytes)));
  for (int64_t at = 0; at < bytes;) {
    const auto n = ::pread(file, piece.data(), piece.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw std::runtime_error("a file ends before it should");
    at += n;
  }
}

void drop([[maybe_unused]] int file, [[maybe_unused]] int64_t bytes) {
#ifdef __linux__
  ::fsync(file);  // what is not written yet is not dropped
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  const auto left = cached(file, bytes);
  if (!left) {
    throw std::runtime_error(
        "the file is another user's: the system does not say whether it was dropped from the page "
        "cache");
  }
  if (*left > kFew) {
    throw std::runtime_error(fmt::format(
        "the page cache keeps {:.0f} % of the file: this file system cannot be read cold, or "
        "another program has the file mapped",
        100 * *left));
  }
#endif
}

}  // namespace

Result<void> can_be_cold([[maybe_unused]] const std::string& path) {
#ifdef __linux__
  struct statfs where {};
  if (::statfs(path.c_str(), &where) == 0 &&
      (where.f_type == TMPFS_MAGIC || where.f_type == RAMFS_MAGIC)) {
    return Error{fmt::format("{} lies in memory: it cannot be read cold", path)};
  }
  return {};
#else
  return Error{"cold: this system cannot drop a file's pages"};
#endif
}

Result<void> temporary_can_be_cold() {
  std::error_code none;
  const auto folder = std::filesystem::temp_directory_path(none);
  if (none) return Error{"there is no folder for temporary files: TMPDIR names it"};
  auto can = can_be_cold(folder.string());
  if (!can) return Error{can.error().message + " (TMPDIR names the folder for temporary files)"};
  return {};
}

void make_pages(int file, int64_t bytes, CacheMode cache) {
  if (bytes <= 0) return;
  if (cache == CacheMode::cold) return drop(file, bytes);
  const auto before = cached(file, bytes);
  if (before && *before >= 1 - kFew) return;
  read_through(file, bytes);
  if (const auto held = cached(file, bytes); held && *held < 1 - kFew) {
    throw std::runtime_error(fmt::format(
        "the page cache holds {:.0f} % of the file only: too little memory is free", 100 * *held));
  }
}

}  // namespace ridge::sdk
