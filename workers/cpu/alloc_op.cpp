#include "alloc_op.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "base/units.h"
#include "worker/sdk/memory.h"

namespace ridge::cpu {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kPage = 4096;
constexpr double kReserve =
    0.02;  // of what was available is left alone, and at least kLeastReserve
constexpr int64_t kLeastReserve = 32 * kMiB;
constexpr int64_t kLargestStep = 64 * kMiB;  // between two looks at what is left
constexpr unsigned kMostSeconds = 600;

// What the child tells, in memory that both see: it may be killed at any moment.
struct Shared {
  volatile int64_t written;  // bytes of memory that were written to
  volatile int64_t granted;  // bytes of the largest mapping the kernel agreed to
};

void* map(int64_t bytes) {
  void* at = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  ::madvise(at, static_cast<size_t>(bytes), MADV_HUGEPAGE);  // or the faults take minutes
#endif
  return at;
}

// Writes to every page, no two alike (zeros and equal pages could be shared), and looks at what is
// left as it goes. False: little is left.
bool write_to(void* memory, int64_t bytes, int64_t reserve, Shared& shared) {
  auto* at = static_cast<std::byte*>(memory);
  for (int64_t done = 0; done < bytes;) {
    const int64_t left = sdk::available_memory() - reserve;
    if (left < kMiB) return false;
    const int64_t step = std::min({bytes - done, kLargestStep, std::max(kMiB, left / 4)});
    for (int64_t page = 0; page < step; page += kPage) {
      const auto number = reinterpret_cast<uintptr_t>(at + done + page);
      std::memcpy(at + done + page, &number, sizeof number);
    }
    done += step;
    shared.written = shared.written + step;
  }
  return true;
}

// The largest mapping that the kernel agrees to, whether it could be written to or not.
int64_t largest_mapping(int64_t most) {
  int64_t good = 0, bad = most + kMiB;
  while (bad - good > std::max(kMiB, good / 256)) {
    const int64_t middle = good + (bad - good) / 2;
    if (void* at = map(middle)) {
      ::munmap(at, static_cast<size_t>(middle));
      good = middle;
    } else {
      bad = middle;
    }
  }
  return good / kPage * kPage;
}

void take_memory(Alloc::What what, int64_t available, int64_t reserve, Shared& shared) {
  std::ofstream("/proc/self/oom_score_adj") << 1000;  // if one must go, this one
  if (what == Alloc::What::single) {
    shared.granted = largest_mapping(available);
    if (void* at = shared.granted > 0 ? map(shared.granted) : nullptr) {
      write_to(at, shared.granted, reserve, shared);
    }
    return;
  }
  for (int64_t piece = kLargestStep; piece >= kMiB;) {
    void* at = map(piece);
    if (!at) {
      piece /= 2;
      continue;
    }
    shared.granted = shared.granted + piece;
    if (!write_to(at, piece, reserve, shared)) return;
  }
}

}  // namespace

std::vector<double> AllocOp::read(std::string_view, int64_t, std::span<const int64_t>) {
  throw std::invalid_argument("alloc has no tensors");
}

void AllocOp::run(int64_t) {
  notes_.clear();
  const int64_t available = sdk::available_memory();
  const int64_t reserve =
      std::max(kLeastReserve, static_cast<int64_t>(kReserve * static_cast<double>(available)));
  auto* shared = static_cast<Shared*>(
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (shared == MAP_FAILED) throw std::bad_alloc();
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "cannot start a process");
  if (child == 0) {
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(kMostSeconds);
    take_memory(what_, available, reserve, *shared);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  found_ = shared->written;
  if (what_ == Alloc::What::single && shared->granted > found_) {
    notes_.push_back(fmt::format("the kernel agreed to {} in one piece; written to were {}",
                                 show_bytes(shared->granted), show_bytes(found_)));
  }
  notes_.push_back(fmt::format("{} were available, {} of it left alone", show_bytes(available),
                               show_bytes(reserve)));
  if (WIFSIGNALED(status)) {
    notes_.push_back(
        fmt::format("the process that took it was killed by signal {}", WTERMSIG(status)));
  }
  ::munmap(shared, sizeof(Shared));
}

sdk::OpInfo AllocOp::info() const {
  sdk::OpInfo info{.kernel = "mmap", .notes = notes_};
  if (found_ > 0) {
    info.values = {{Alloc{what_}.result(), static_cast<double>(found_), "B"}};
  }
  return info;
}

}  // namespace ridge::cpu
