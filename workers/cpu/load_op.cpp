#include "load_op.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/units.h"
#include "worker/sdk/page_cache.h"

namespace ridge::cpu {
namespace {

constexpr int64_t kPiece = int64_t{8} << 20;  // asked for at once
constexpr int64_t kPage = 4096;

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

}  // namespace

Result<void> can_load(CacheMode cache) {
  if (cache == CacheMode::warm) return Error{"load: the page cache is cold or hot"};
  return cache == CacheMode::cold ? sdk::temporary_can_be_cold() : Result<void>{};
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

void LoadOp::before(int64_t copy) {
  sdk::make_pages(files_[static_cast<size_t>(copy)], bytes_, task().settings.cache);
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
