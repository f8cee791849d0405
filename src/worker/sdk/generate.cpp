#include "worker/sdk/generate.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace ridge::sdk {
namespace {
constexpr int64_t kShare = 1 << 16;  // elements that are worth a thread
}

void generate(const TensorSpec& spec, TensorKey key, int threads, std::byte* out) {
  const int64_t all = spec.units(), width = spec.unit_bytes();
  const int64_t parts = std::clamp<int64_t>(spec.elements() / kShare, 1, threads);
  std::vector<std::jthread> team;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = all * part / parts, end = all * (part + 1) / parts;
    const auto work = [=, &spec] {
      ridge::fill(spec, key, begin, end - begin, out + begin * width);
    };
    if (part + 1 < parts) {
      team.emplace_back(work);
    } else {
      work();
    }
  }
}

}  // namespace ridge::sdk
