#include "load_op.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <omp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include "base/units.h"

namespace ridge::cpu {
namespace {

constexpr int64_t kPiece = int64_t{8} << 20;  // asked for at once
constexpr int64_t kPage = 4096;
constexpr double kMostLeft = 0.01;  // of the file in the page cache, for it to count as cold

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string folder() { return std::filesystem::temp_directory_path().string(); }

int make_file() {
#ifdef O_TMPFILE
  const int file = ::open(folder().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;
#endif
  std::string path = folder() + "/ridge-load-XXXXXX";
  const int named = ::mkstemp(path.data());
  if (named < 0) fail("cannot make a file in " + folder());
  ::unlink(path.c_str());
  return named;
}

void write_all(int file, const std::byte* data, int64_t bytes) {
  for (int64_t done = 0; done < bytes;) {
    const auto n = ::pwrite(file, data + done, static_cast<size_t>(bytes - done), done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("cannot write to a file in " + folder());
    done += n;
  }
}

bool read_part(int file, std::byte* out, int64_t begin, int64_t end) {
  while (begin < end) {
    const auto length = static_cast<size_t>(std::min(kPiece, end - begin));
    const auto n = ::pread(file, out + begin, length, begin);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    begin += n;
  }
  return true;
}

// The part of a file that the page cache holds.
double cached(int file, int64_t bytes) {
  void* at = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) return 0;
  std::vector<unsigned char> pages(static_cast<size_t>((bytes + kPage - 1) / kPage));
  int64_t present = 0;
  if (::mincore(at, static_cast<size_t>(bytes), pages.data()) == 0) {
    present = std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; });
  }
  ::munmap(at, static_cast<size_t>(bytes));
  return static_cast<double>(present) / static_cast<double>(pages.size());
}

}  // namespace

Result<void> can_load(CacheMode cache) {
#ifdef __linux__
  struct statfs where {};
  if (cache == CacheMode::cold && ::statfs(folder().c_str(), &where) == 0 &&
      (where.f_type == TMPFS_MAGIC || where.f_type == RAMFS_MAGIC)) {
    return Error{fmt::format("{} lies in memory: set TMPDIR to a folder on a disk", folder())};
  }
  return {};
#else
  if (cache == CacheMode::cold) return Error{"cold: this system cannot drop a file's pages"};
  return {};
#endif
}

LoadOp::LoadOp(const sdk::Task& task, sdk::Arena& arena, Team& team)
    : HostOp(task, arena, team.filler(team.threads_for(task.settings.threads))),
      team_(team),
      threads_(team.threads_for(task.settings.threads)),
      bytes_(std::get<Load>(task.work).bytes) {
  for (int64_t copy = 0; copy < task.copies; ++copy) files_.push_back(make_file());
}

LoadOp::~LoadOp() {
  for (const int file : files_) ::close(file);
}

void LoadOp::filled(int64_t copy) {
  const int file = files_[static_cast<size_t>(copy)];
  write_all(file, static_cast<const std::byte*>(data("file", copy)), bytes_);
  if (::fsync(file) != 0) fail("cannot write to a file in " + folder());
}

void LoadOp::before([[maybe_unused]] int64_t copy) {
#ifdef __linux__
  if (task().settings.cache != CacheMode::cold) return;
  const int file = files_[static_cast<size_t>(copy)];
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  if (const double left = cached(file, bytes_); left > kMostLeft) {
    throw std::runtime_error(fmt::format(
        "the page cache keeps {:.0f} % of the file: this file system cannot be read cold",
        100 * left));
  }
#endif
}

void LoadOp::run(int64_t copy) {
  const int file = files_[static_cast<size_t>(copy)];
  auto* out = static_cast<std::byte*>(data("out", copy));
  team_.use(threads_);
  std::atomic<bool> good{true};
#pragma omp parallel num_threads(threads_)
  {
    const auto [begin, end] = share_of(bytes_, kPage, threads_, omp_get_thread_num());
    if (!read_part(file, out, begin, end)) good = false;
  }
  if (!good) throw std::runtime_error("cannot read the file back");
}

sdk::OpInfo LoadOp::info() const {
  return {.kernel = fmt::format("pread, {} at once", show_bytes(kPiece)),
          .bytes_held = bytes_held(),
          .notes = {"file in " + folder()}};
}

}  // namespace ridge::cpu
