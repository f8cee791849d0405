// Fused attention against the float64 reference, in this process, so that every way and every
// vector extension can be forced: the tests drop Highway's targets one after the other.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "flash_op.h"
#include "stream_kernels.h"
#include "topology.h"

namespace ridge::cpu {
namespace {

constexpr uint64_t kSeed = 20;

Attention shape(DType dtype, int64_t seq_q, int64_t seq_kv, int64_t head_dim,
                Attention::Mask mask = Attention::Mask::none, int64_t window = 0) {
  Attention a{.dtype = dtype,
              .heads = 2,
              .kv_heads = 2,
              .seq_q = seq_q,
              .seq_kv = seq_kv,
              .head_dim = head_dim,
              .mask = mask};
  if (mask == Attention::Mask::window) a.window = window;
  return a;
}

class Flash : public testing::Test {
 protected:
  // Every row of the output.
  static void expect_right(const Attention& work, FlashWay way, int threads = 1) {
    static sdk::Arena arena(int64_t{1} << 30);
    static Team team(read_topology().cores);
    ASSERT_TRUE(validate(work)) << work_key(work);
    const InputSource inputs{kSeed, 5, 0};
    {
      FlashOp op({.work = work, .settings = {.threads = threads}, .device = "0"}, arena, team, way);
      SCOPED_TRACE(work_key(work) + " " + op.info().kernel + " " + std::to_string(threads));
      op.fill(inputs);
      op.run(0);
      std::vector<int64_t> all(
          static_cast<size_t>(work.batch * work.heads * work.seq_q * work.head_dim));
      std::iota(all.begin(), all.end(), 0);
      const std::vector<double> values = op.read("o", 0, all);
      const auto right = expected(work, inputs, "o", all);
      ASSERT_EQ(right.size(), values.size());
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_LE(std::fabs(values[i] - right[i].value), right[i].tolerance)
            << "element " << i << ": " << values[i] << " for " << right[i].value;
        ASSERT_FALSE(std::isnan(values[i])) << "element " << i << " not written";
      }
    }
    arena.reset();
  }

  struct Case {
    DType dtype;
    FlashWay way;
  };
  // What can run here at this moment.
  static std::vector<Case> cases() {
    std::vector<Case> all;
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      for (const FlashWay way : flash_ways(dtype)) all.push_back({dtype, way});
    }
    if (flash_kernels(FlashWay::bf16_emulated_tiles) != nullptr) {
      all.push_back({DType::bf16, FlashWay::bf16_emulated_tiles});
    }
    return all;
  }
  static int most_threads() { return static_cast<int>(read_topology().cores.size()); }
};

constexpr auto none = Attention::Mask::none;
constexpr auto causal = Attention::Mask::causal;
constexpr auto window = Attention::Mask::window;

// Lengths around a vector, a tile, a pair of keys, a row of AMX tiles and a block.
void expect_lengths(DType dtype, const std::function<void(const Attention&)>& right) {
  for (const int64_t n : {9, 16, 31, 32, 33, 64, 127, 128, 129, 257, 300}) {
    right(shape(dtype, n, n, 32, none));
    right(shape(dtype, n, n, 32, causal));
    right(shape(dtype, n, n, 32, window, 7));
  }
  for (const int64_t keys : {1, 2, 3, 33, 255, 256, 513}) {
    right(shape(dtype, 37, keys, 32, none));
    if (keys > 37) right(shape(dtype, 37, keys, 32, causal));
    if (keys > 37) right(shape(dtype, 37, keys, 32, window, 100));
  }
  right(shape(dtype, 300, 301, 32, window, 1));
  right(shape(dtype, 300, 600, 32, window, 128));
  right(shape(dtype, 300, 600, 32, window, 10000));
}

// First of all tests: those after it run on the extensions that it leaves.
TEST_F(Flash, EveryLengthAndMaskIsRightEveryWay) {
  for (const Case& one : cases()) {
    expect_lengths(one.dtype, [&](const Attention& work) { expect_right(work, one.way); });
    if (HasFatalFailure()) return;
  }
}

TEST_F(Flash, EveryHeadDimIsRight) {
  for (const auto& [dtype, way] : cases()) {
    for (int64_t head_dim = 16; head_dim <= 256; head_dim += 16) {
      if (head_dim % flash_kernels(way)->head_dim_multiple != 0) continue;
      expect_right(shape(dtype, 45, 70, head_dim, causal), way);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(Flash, GroupsBatchesAndThreadsAreRight) {
  for (const auto& [dtype, way] : cases()) {
    for (const int threads : {1, most_threads(), 1}) {
      for (const int64_t kv_heads : {1, 2, 6}) {
        Attention work = shape(dtype, 70, 300, 32, causal);
        work.batch = 2;
        work.heads = 6;
        work.kv_heads = kv_heads;
        expect_right(work, way, threads);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(Flash, PiecesOfSeveralTilesAreRight) {
  for (const auto& [dtype, way] : cases()) {
    for (const auto mask : {none, causal, window}) {
      Attention work = shape(dtype, 400, 430, 32, mask, 40);
      work.heads = work.kv_heads = 12;
      expect_right(work, way, 1);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(Flash, FewQueriesAreRight) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const FlashWay way = flash_ways(dtype).at(0);
    for (const int threads : {1, most_threads()}) {
      for (const int64_t keys : {5, 16, 129, 1100}) {
        for (const int64_t queries : {1, 2, 4}) {
          for (const int64_t head_dim : {16, 80, 256}) {
            Attention work = shape(dtype, queries, keys, head_dim, none);
            work.heads = 4;
            expect_right(work, way, threads);
            work.mask = causal;
            expect_right(work, way, threads);
            work.mask = window;
            work.window = 3;
            expect_right(work, way, threads);
            work.window = 300;
            expect_right(work, way, threads);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// Memory that ends, to the byte, where a page begins that must not be touched.
class Guarded {
 public:
  explicit Guarded(int64_t bytes) : pages_((static_cast<size_t>(bytes) + kPage - 1) / kPage) {
    region_ = static_cast<char*>(mmap(nullptr, (pages_ + 1) * kPage, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(region_ + pages_ * kPage, kPage, PROT_NONE);
    at = region_ + pages_ * kPage - bytes;
  }
  ~Guarded() { munmap(region_, (pages_ + 1) * kPage); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  char* at = nullptr;

 private:
  static constexpr size_t kPage = 16384;
  size_t pages_;
  char* region_ = nullptr;
};

TEST_F(Flash, NothingBeyondTheTensorsIsTouched) {
  for (const auto& [dtype, way] : cases()) {
    for (const int64_t head_dim : {32, 96}) {
      for (const int64_t keys : {1, 7, 33, 291}) {
        const FlashKernels& kernels = *flash_kernels(way);
        const int64_t row = head_dim * bytes_of(dtype), queries = 33;
        const Guarded q(queries * row), k(keys * row), v(keys * row), o(queries * row);
        const Guarded packed_k((keys + 31) / 32 * 32 * kernels.key_bytes(head_dim));
        const Guarded packed_v((keys + 31) / 32 * 32 * kernels.value_bytes(head_dim));
        const int64_t tiles = (queries + kernels.width - 1) / kernels.width;
        const Guarded workspace(kernels.workspace_bytes(head_dim, tiles));
        FlashHead head{.q = q.at,
                       .k = k.at,
                       .v = v.at,
                       .o = o.at,
                       .head_dim = head_dim,
                       .seq_q = queries,
                       .seq_kv = keys,
                       .ahead = keys,
                       .window = queries + keys};
        kernels.pack(head, 0, keys, packed_k.at, packed_v.at);
        if (kernels.key_bytes(head_dim) > 0) head.k = packed_k.at;
        if (kernels.value_bytes(head_dim) > 0) head.v = packed_v.at;
        std::memset(o.at, 0xff, static_cast<size_t>(queries * row));
        kernels.attend(head, 0, tiles, workspace.at);  // all zeros: so is the output
        for (int64_t i = 0; i < queries * head_dim; ++i) ASSERT_EQ(load(dtype, o.at, i), 0) << i;
        head.k = k.at;
        head.v = v.at;
        head.seq_q = 3;
        const FlashRows& rows = *flash_rows(dtype);
        std::vector<float> partials(static_cast<size_t>(3 * rows.partial_floats(head_dim)));
        head.q = q.at + (queries - 3) * row;
        head.o = o.at + (queries - 3) * row;
        rows.attend(head, 3, 0, keys, partials.data());
        rows.combine(head, 3, 1, partials.data());
        for (int64_t i = 0; i < 3 * head_dim; ++i) ASSERT_EQ(load(dtype, head.o, i), 0) << i;
      }
    }
  }
}

TEST(FlashWays, RefusesWithTheReason) {
  const auto why = [](const Attention& work) {
    const auto way = flash_way(work);
    return way ? std::string() : way.error().message;
  };
  EXPECT_EQ(why(shape(DType::f32, 64, 64, 64)), "");
  EXPECT_NE(why(shape(DType::f32, 64, 64, 24)).find("multiple of 16"), std::string::npos);
  EXPECT_NE(why(shape(DType::f32, 64, 64, 272)).find("256"), std::string::npos);
  EXPECT_NE(why(shape(DType::tf32, 64, 64, 64)).find("tf32"), std::string::npos);
  Attention backward = shape(DType::f32, 64, 64, 64);
  backward.pass = Attention::Pass::bwd;
  EXPECT_NE(why(backward).find("forward"), std::string::npos);
}

// Last: what is dropped does not come back.
TEST_F(Flash, LesserExtensionsAreRight) {
  while (drop_best_highway_target()) {
    SCOPED_TRACE(highway_target());
    for (const Case& one : cases()) {
      const auto [dtype, way] = one;
      expect_lengths(dtype, [&](const Attention& work) { expect_right(work, one.way); });
      for (const int64_t head_dim : {32, 48, 128, 256}) {
        if (head_dim % flash_kernels(way)->head_dim_multiple != 0) continue;
        expect_right(shape(dtype, 45, 70, head_dim, causal), way, most_threads());
        expect_right(shape(dtype, 2, 700, head_dim, causal), way, most_threads());
      }
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_TRUE(flash_ways(DType::f32).empty() || !cases().empty());
}

}  // namespace
}  // namespace ridge::cpu
