#include "flash_kernels.h"

// Vectors of a length that is known only as the program runs cannot be members or accumulate in
// arrays: a processor with SVE runs the NEON code.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include <bit>
#include <cstring>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flash_kernels.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for each target
#include <hwy/highway.h>

#include "flash_tiles-inl.h"
#include "flash_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridge::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
const FlashKernels* GetKernels(FlashWay) { return nullptr; }
#else

// What a tile keeps from block to block. Follows: its queries, [word][lane]; its output,
// [element][lane].
struct TileState {
  Running running;
  bool begun;
};

template <class Way>
struct TileMemory {
  static constexpr int64_t kHead = (sizeof(TileState) + 63) / 64 * 16;  // floats

  float* at;
  int64_t head_dim;

  static int64_t Floats(int64_t head_dim) {
    return kHead + (head_dim / Way::kPerWord + head_dim) * kWidth;
  }
  TileState& state() const { return *reinterpret_cast<TileState*>(at); }
  float* queries() const { return at + kHead; }
  float* output() const { return queries() + head_dim / Way::kPerWord * kWidth; }
};

// One tile against the keys [begin, begin + keys).
template <class Way>
HWY_INLINE void Block(const FlashHead& head, int64_t first, int64_t begin, int64_t keys,
                      float* HWY_RESTRICT s, const TileMemory<Way>& tile) {
  using Word = typename Way::Word;
  const int64_t words = head.head_dim / Way::kPerWord;
  TileState& state = tile.state();
  Way::Scores(static_cast<const Word*>(head.k) + begin * words, words, tile.queries(), keys, s);
  const int64_t newest = first + head.ahead - begin;
  if (newest < keys - 1 || head.window < newest + kWidth) Hide(s, keys, newest, head.window);
  if (Way::kPerWord == 2 && keys % 2 != 0) std::fill_n(s + keys * kWidth, kWidth, kHidden);
  const bool shrunk = Softmax<Way::kPerWord == 2>(s, keys, head.scale, state.running);
  const auto* values = static_cast<const Word*>(head.v) + begin / Way::kPerWord * head.head_dim;
  Way::Values(values, head.head_dim, s, keys, state.running, !state.begun, shrunk, tile.output());
  state.begun = true;
}

// Query is the element that q has where Way reads it; Element that of q and o in memory.
template <class Way, class Query, class Element>
void Attend(const FlashHead& head, int64_t first, int64_t tiles, void* workspace) {
  float* s = static_cast<float*>(workspace);
  const auto tile = [&](int64_t t) {
    return TileMemory<Way>{s + Way::kBlock * kWidth + t * TileMemory<Way>::Floats(head.head_dim),
                           head.head_dim};
  };
  const auto rows_of = [&](int64_t t) { return std::min(kWidth, head.seq_q - first - t * kWidth); };
  const int64_t query_words = head.head_dim / Way::kPerWord;
  for (int64_t t = 0; t < tiles; ++t) {
    tile(t).state().running.Clear();
    tile(t).state().begun = false;
    Transpose(static_cast<const Query*>(head.q) + (first + t * kWidth) * query_words, rows_of(t),
              query_words, tile(t).queries(), kWidth);
  }
  const int64_t last = std::min(head.seq_q, first + tiles * kWidth) - 1;
  const KeyRange all = seen_by(head, first, last);
  Way::Begin();
  for (int64_t j = all.begin / Way::kStep * Way::kStep; j < all.end; j += Way::kBlock) {
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t query = first + t * kWidth;
      const KeyRange seen = seen_by(head, query, query + rows_of(t) - 1);
      const int64_t begin = std::max(j, seen.begin / Way::kStep * Way::kStep);
      const int64_t end = std::min(j + Way::kBlock, seen.end);
      if (begin < end) Block<Way>(head, query, begin, end - begin, s, tile(t));
    }
  }
  Way::End();
  for (int64_t t = 0; t < tiles; ++t) {
    float* sum = tile(t).state().running.sum;
    for (int64_t r = 0; r < kWidth; ++r) sum[r] = 1 / sum[r];
    TransposeBack(tile(t).output(), sum, rows_of(t), head.head_dim,
                  static_cast<Element*>(head.o) + (first + t * kWidth) * head.head_dim);
  }
}

template <class Way>
int64_t WorkspaceBytes(int64_t head_dim, int64_t tiles) {
  return (Way::kBlock * kWidth + tiles * TileMemory<Way>::Floats(head_dim)) * 4;
}

// Packing.
int64_t Nothing(int64_t) { return 0; }
int64_t AsSingles(int64_t head_dim) { return head_dim * 4; }
int64_t AsHalves(int64_t head_dim) { return head_dim * 2; }

void PackNothing(const FlashHead&, int64_t, int64_t, void*, void*) {}

template <class Element>
void PackSingles(const FlashHead& head, int64_t begin, int64_t end, void* k, void* v) {
  const auto convert = [&](const void* from, void* to) {
    for (int64_t i = begin * head.head_dim; i < end * head.head_dim; i += 4) {
      StoreQuad(LoadQuad(static_cast<const Element*>(from) + i), static_cast<float*>(to) + i);
    }
  };
  convert(head.k, k);
  convert(head.v, v);
}

template <class Way>
void PackValues(const FlashHead& head, int64_t begin, int64_t end, void*, void* v) {
  Way::Pack(static_cast<const uint16_t*>(head.v) + begin * head.head_dim, end - begin,
            head.head_dim, static_cast<float*>(v) + begin / 2 * head.head_dim);
}

template <class Element>
const FlashKernels* Convert(std::string_view name) {
  static const FlashKernels kernels{name,
                                    kWidth,
                                    16,
                                    AsSingles,
                                    AsSingles,
                                    PackSingles<Element>,
                                    WorkspaceBytes<Singles>,
                                    Attend<Singles, Element, Element>};
  return &kernels;
}

const FlashKernels* GetKernels(FlashWay way) {
  static const FlashKernels singles{"f32",
                                    kWidth,
                                    16,
                                    Nothing,
                                    Nothing,
                                    PackNothing,
                                    WorkspaceBytes<Singles>,
                                    Attend<Singles, float, float>};
  switch (way) {
    case FlashWay::f32: return &singles;
    case FlashWay::bf16_as_f32: return Convert<uint16_t>("bf16 as f32");
    case FlashWay::f16_as_f32: return Convert<hwy::float16_t>("f16 as f32");
    default: break;
  }
#if HWY_TARGET == HWY_AVX3
  // A pair of bf16 is read as the bits of a float.
  static const FlashKernels pairs{"bf16 pairs",
                                  kWidth,
                                  16,
                                  Nothing,
                                  AsHalves,
                                  PackValues<Pairs>,
                                  WorkspaceBytes<Pairs>,
                                  Attend<Pairs, float, uint16_t>};
  static const FlashKernels tiles{"bf16 tiles (AMX)",
                                  kWidth,
                                  32,
                                  Nothing,
                                  AsHalves,
                                  PackValues<ByTiles<AmxTiles> >,
                                  WorkspaceBytes<ByTiles<AmxTiles> >,
                                  Attend<ByTiles<AmxTiles>, float, uint16_t>};
  static const FlashKernels emulated{"bf16 tiles, emulated",
                                     kWidth,
                                     32,
                                     Nothing,
                                     AsHalves,
                                     PackValues<ByTiles<EmulatedTiles> >,
                                     WorkspaceBytes<ByTiles<EmulatedTiles> >,
                                     Attend<ByTiles<EmulatedTiles>, float, uint16_t>};
  if (way == FlashWay::bf16_pairs) return &pairs;
  if (way == FlashWay::bf16_tiles) return &tiles;
  if (way == FlashWay::bf16_emulated_tiles) return &emulated;
#endif
  return nullptr;
}
#endif  // HWY_SCALAR

}  // namespace ridge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridge::cpu {
namespace {

HWY_EXPORT(GetKernels);

#if defined(__x86_64__) && defined(__linux__)
bool has_pairs() { return __builtin_cpu_supports("avx512bf16") != 0; }
// Seen on a Xeon with AMX: products of pairs at half the rate of f32; on Zen 4 at twice that.
bool slow_pairs() { return __builtin_cpu_is("intel") != 0; }

bool has_tiles() {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;  // of leaf 7's edx
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kBf16) == 0 || (d & kTile) == 0) {
    return false;
  }
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#else
bool has_pairs() { return false; }
bool slow_pairs() { return false; }
bool has_tiles() { return false; }
#endif

}  // namespace

const FlashKernels* flash_kernels(FlashWay way) { return HWY_DYNAMIC_DISPATCH(GetKernels)(way); }

std::vector<FlashWay> flash_ways(DType dtype) {
  if (flash_kernels(FlashWay::f32) == nullptr) return {};  // no vector extension
  if (dtype == DType::f32) return {FlashWay::f32};
  if (dtype == DType::f16) return {FlashWay::f16_as_f32};
  if (dtype != DType::bf16) return {};
  std::vector<FlashWay> ways = {FlashWay::bf16_as_f32};
  const bool compiled = flash_kernels(FlashWay::bf16_pairs) != nullptr;
  if (compiled && has_pairs()) {
    ways.insert(slow_pairs() ? ways.end() : ways.begin(), FlashWay::bf16_pairs);
    if (has_tiles()) ways.insert(ways.begin(), FlashWay::bf16_tiles);
  }
  return ways;
}

}  // namespace ridge::cpu
#endif
