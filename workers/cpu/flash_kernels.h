#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/dtype.h"

// Fused attention, forward, on one thread: softmax(q kᵀ) v without the score matrix in memory.
//
// A tile is `width` queries of a head, each in a vector lane of its own. It goes through the keys
// that it sees block by block: scores sᵀ[key][query] into the first-level cache; their running
// maximum and sum, lane by lane, with no step across lanes; p = 2^(s - maximum) in place of s; then
// oᵀ[element][query] += vᵀ pᵀ. Both products broadcast one element (or one pair) of k or v to all
// lanes, so a key is read once a tile, as it lies in memory, and may come from any cache. A few
// tiles go through the keys together, so that a block of them stays in the second-level cache.
//
// Floor: 4·head_dim FLOPs a pair of query and key at the product's own rate, and for the softmax
// some 13 vector instructions per vector of scores, which overlap only in part: at head_dim 128 and
// one 16-lane multiply-add a cycle, 8 cycles to the products' 256 in f32 and 128 in bf16 pairs.
namespace ridge::cpu {

// One head's tensors: rows of head_dim elements.
struct FlashHead {
  const void* q = nullptr;
  const void* k = nullptr;  // as they are, or where pack() put them
  const void* v = nullptr;
  void* o = nullptr;
  int64_t head_dim = 0;  // a multiple of 16, at most 256
  int64_t seq_q = 0, seq_kv = 0;
  // Query i sees the keys j of [0, seq_kv) with i + ahead - window < j <= i + ahead.
  int64_t ahead = 0, window = 0;
  float scale = 1;  // of a score; includes log2(e)
};

// The keys [begin, end) that any of the queries [first, last] sees.
struct KeyRange {
  int64_t begin, end;
};
inline KeyRange seen_by(const FlashHead& head, int64_t first, int64_t last) {
  return {std::max<int64_t>(0, first + head.ahead - head.window + 1),
          std::min(head.seq_kv, last + head.ahead + 1)};
}

// One way of computing it. Workspaces and packed arrays are aligned to 64 bytes.
struct FlashKernels {
  std::string_view name;      // "bf16 pairs"
  int64_t width;              // queries of a tile
  int64_t head_dim_multiple;  // that head_dim must be
  // Bytes of a packed row of keys and of values, on average (seq_kv rounded up to 32 rows); 0: they
  // are read as they are.
  int64_t (*key_bytes)(int64_t head_dim);
  int64_t (*value_bytes)(int64_t head_dim);
  // Packs the keys [begin, end) of `head`; begin is a multiple of 32.
  void (*pack)(const FlashHead& head, int64_t begin, int64_t end, void* k, void* v);
  int64_t (*workspace_bytes)(int64_t head_dim, int64_t tiles);
  // The output of `tiles` tiles whose first query is `first`; the last may reach beyond the end.
  void (*attend)(const FlashHead& head, int64_t first, int64_t tiles, void* workspace);
};

// Every way there is. Of bf16: rounded from f32 at the end alone; pairs by AVX512_BF16; tiles by
// AMX; the same tiles in plain code, for tests on a processor that has none.
enum class FlashWay { f32, f16_as_f32, bf16_as_f32, bf16_pairs, bf16_tiles, bf16_emulated_tiles };

// Compiled for the vector extension that Highway dispatches to (stream_kernels.h:
// highway_target()); null where it has none. Whether the processor has AVX512_BF16 or AMX is not
// looked at.
const FlashKernels* flash_kernels(FlashWay way);

// The ways to compute a dtype that this processor says that it has, best first; none for other
// dtypes than f32, f16 and bf16. Asks the kernel for the use of AMX.
std::vector<FlashWay> flash_ways(DType dtype);

}  // namespace ridge::cpu
