#include "worker/sdk/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <new>

#include "base/units.h"
#include "worker/sdk/memory.h"

namespace ridge::sdk {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kPage = 4096;
constexpr int64_t kLeastArena = int64_t{16} << 20;

// Where array number `count` begins in its page: cache lines 0, 32, 16, 48, 8, … (six bits of the
// count, reversed), so that arrays made one after another lie half or a quarter of a page apart and
// offsets repeat only after 64. Measured on Zen 4 in memory: 14 % more copied at half a page than
// at 11 lines, 50 % more than at 0.
int64_t stagger(int64_t count) {
  int64_t line = 0;
  for (int bit = 0; bit < 6; ++bit) line |= ((count >> bit) & 1) << (5 - bit);
  return line * 64;
}

int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// The number in "Key:   123 kB" lines of a proc file, in bytes; -1 if there is none.
int64_t kib_field(const std::string& line, std::string_view key) {
  if (!line.starts_with(key)) return -1;
  const size_t digit = line.find_first_of("0123456789", key.size());
  if (digit == std::string::npos) return -1;
  int64_t value = 0;
  std::from_chars(line.data() + digit, line.data() + line.size(), value);
  return value * 1024;
}

}  // namespace

Arena::Arena(int64_t capacity)
    : capacity_(round_up(std::min(capacity, mappable_memory()), kHugePage)) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;
#endif
  void* region = MAP_FAILED;
  for (;; capacity_ = round_up(capacity_ / 2, kHugePage)) {
    region = mmap(nullptr, static_cast<size_t>(capacity_ + kHugePage), PROT_READ | PROT_WRITE,
                  flags, -1, 0);
    if (region != MAP_FAILED) break;
    if (capacity_ < kLeastArena) throw std::bad_alloc();
  }
  const auto address = reinterpret_cast<uintptr_t>(region);
  const auto aligned = static_cast<uintptr_t>(round_up(static_cast<int64_t>(address), kHugePage));
  base_ = reinterpret_cast<std::byte*>(aligned);
#ifdef MADV_HUGEPAGE
  madvise(base_, static_cast<size_t>(capacity_), MADV_HUGEPAGE);  // a wish: the note tells
#endif
}

Arena::~Arena() { munmap(base_, static_cast<size_t>(capacity_)); }

void* Arena::allocate(int64_t bytes) {
  const int64_t start = round_up(used_, kPage) + stagger(count_);
  if (bytes < 0 || start + bytes > capacity_) throw std::bad_alloc();
  used_ = start + round_up(bytes, 64);
  touched_ = std::max(touched_, used_);
  ++count_;
  return base_ + start;
}

void Arena::reset() { used_ = count_ = 0; }

void Arena::discard() {
  reset();
  madvise(base_, static_cast<size_t>(round_up(touched_, kPage)), MADV_DONTNEED);
  touched_ = 0;
}

std::string Arena::huge_page_note() const {
  if (touched_ < kHugePage) return {};
  std::ifstream file("/proc/self/smaps");
  const std::string start = fmt::format("{:x}-", reinterpret_cast<uintptr_t>(base_));
  std::string line;
  bool ours = false;
  int64_t resident = 0, huge = 0;
  while (std::getline(file, line)) {
    const bool header = !line.empty() && line[0] != ' ' && line.find('-') < line.find(' ');
    if (header && line.find(':') > line.find(' ')) {
      // The kernel may have merged or split the mapping: ours begins at or just below base_.
      uintptr_t from = 0, to = 0;
      if (std::sscanf(line.c_str(), "%lx-%lx", &from, &to) == 2) {
        const auto base = reinterpret_cast<uintptr_t>(base_);
        ours = to > base && from < base + static_cast<uintptr_t>(capacity_);
      }
    } else if (ours) {
      if (const int64_t rss = kib_field(line, "Rss:"); rss >= 0) resident += rss;
      if (const int64_t pages = kib_field(line, "AnonHugePages:"); pages >= 0) huge += pages;
    }
  }
  if (resident <= 0) return {};
  return fmt::format("huge pages: {:.0f} % of {}",
                     100.0 * static_cast<double>(huge) / static_cast<double>(resident),
                     show_bytes(resident));
}

}  // namespace ridge::sdk
