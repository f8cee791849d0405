// How memory traffic timed through the worker compares with loops as STREAM writes them, with
// non-temporal intrinsics and with memcpy.
#include <fmt/format.h>

#include <functional>
#include <memory>

#include "base/random.h"
#include "base/units.h"
#include "duel.h"
#include "stream_loops.h"

namespace ridge::bench {
namespace {

struct Case {
  const char* name;
  Stream::Op op;
  bool bypass;
  std::function<void(const float* a, const float* b, float* c, int64_t count, int threads)> run;
};

volatile float sink;

const std::vector<Case>& cases() {
  using Op = Stream::Op;
  using In = const float*;
  static const std::vector<Case> list = {
      {"read loop", Op::read, false,
       [](In a, In, float*, int64_t n, int t) { sink = loop_read(a, n, t); }},
      {"write loop", Op::write, false,
       [](In, In, float* c, int64_t n, int t) { loop_write(3, c, n, t); }},
      {"copy loop", Op::copy, false,
       [](In a, In, float* c, int64_t n, int t) { loop_copy(a, c, n, t); }},
      {"triad loop", Op::triad, false,
       [](In a, In b, float* c, int64_t n, int t) { loop_triad(a, b, 3, c, n, t); }},
      {"write intrinsics", Op::write, true,
       [](In, In, float* c, int64_t n, int t) { bypass_write(3, c, n, t); }},
      {"copy intrinsics", Op::copy, true,
       [](In a, In, float* c, int64_t n, int t) { bypass_copy(a, c, n, t); }},
      {"triad intrinsics", Op::triad, true,
       [](In a, In b, float* c, int64_t n, int t) { bypass_triad(a, b, 3, c, n, t); }},
      {"copy memcpy", Op::copy, false,
       [](In a, In, float* c, int64_t n, int t) { memcpy_copy(a, c, n, t); }},
  };
  return list;
}

struct Arrays {
  Arrays(int64_t bytes, bool small) : a(bytes, small), b(bytes, small), c(bytes, small) {
    const int64_t count = bytes / 4;
    fill(tensor_key(1, 2, 3, "a"), DType::f32, 1.0, 0, count, a.as<float>());
    fill(tensor_key(1, 2, 3, "b"), DType::f32, 1.0, 0, count, b.as<float>());
  }
  Memory a, b, c;
};

}  // namespace
}  // namespace ridge::bench

int main(int argc, char** argv) {
  using namespace ridge;
  using namespace ridge::bench;
  constexpr int64_t KiB = 1024, MiB = 1024 * KiB;
  const Options options = Options::parse(argc, argv);
  const int cores = physical_cores();
  Table table("Memory traffic, hot: plain loops and intrinsics, and the worker's loops");
  for (const int threads : {1, cores}) {
    if (options.threads > 0 && options.threads != threads) continue;
    for (const Case& one : cases()) {
      for (const int64_t bytes : {16 * KiB, 64 * KiB, 256 * KiB, 1 * MiB, 4 * MiB, 16 * MiB,
                                  64 * MiB, 256 * MiB, 1024 * MiB}) {
        // memcpy goes around the caches for large blocks: there the non-temporal copy is its peer.
        const bool bypass =
            one.bypass || (std::string_view(one.name) == "copy memcpy" && bytes >= 64 * MiB);
        const Stream work{.op = one.op, .bytes = bytes, .nontemporal = bypass};
        const std::string row =
            fmt::format("{} {} {}t{}", one.name, show_bytes(bytes), threads, bypass ? " nt" : "");
        if (row.find(options.filter) == std::string::npos) continue;
        const auto make = [&](int64_t) {
          const auto arrays = std::make_shared<Arrays>(bytes, options.small_pages);
          return Direct{one.name, [arrays, &one, bytes, threads](int64_t) {
                          one.run(arrays->a.as<float>(), arrays->b.as<float>(),
                                  arrays->c.as<float>(), bytes / 4, threads);
                        }};
        };
        table.add(
            row, work,
            duel(work, {.cache = CacheMode::hot, .threads = threads}, threads, make, options));
      }
    }
    if (cores == 1) break;
  }
  table.close();
}
