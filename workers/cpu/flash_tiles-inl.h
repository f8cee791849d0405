// The products of a block by tiles of bf16 (AMX), or by plain code in their place, which tells on
// any machine whether the layouts are right. Included once for each of Highway's targets.
#if defined(RIDGE_FLASH_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGE_FLASH_TILES_INL_H
#undef RIDGE_FLASH_TILES_INL_H
#else
#define RIDGE_FLASH_TILES_INL_H
#endif

#include <bit>
#include <cstring>

#include "flash_products-inl.h"

#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace ridge::cpu::HWY_NAMESPACE {

// AMX: eight tile registers of 16 rows of 64 bytes. Dot: c[16][16] += a[16][32] · b[16][16][2], a
// of bf16, b of pairs, c of f32.
struct AmxTiles {
  static HWY_INLINE void Configure() {
    struct alignas(64) Config {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    static_assert(sizeof(Config) == 64);
    static const Config config;
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  static HWY_INLINE void Release() { asm volatile("tilerelease"); }
  template <int T>
  static HWY_INLINE void Zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(T));
  }
  // Rows begin `stride` bytes apart.
  template <int T>
  static HWY_INLINE void Load(const void* at, int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(T), "r"(at), "r"(stride) : "memory");
  }
  template <int T>
  static HWY_INLINE void Store(void* at, int64_t stride) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(T), "r"(at), "r"(stride) : "memory");
  }
  template <int C, int A, int B>
  static HWY_INLINE void Dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
};

// The same in plain code.
struct EmulatedTiles {
  struct Tile {
    float word[16][16];
  };
  static inline thread_local Tile tile[8];

  static void Configure() {}
  static void Release() {}
  template <int T>
  static void Zero() {
    tile[T] = {};
  }
  template <int T>
  static void Load(const void* at, int64_t stride) {
    for (int r = 0; r < 16; ++r) {
      std::memcpy(tile[T].word[r], static_cast<const char*>(at) + r * stride, 64);
    }
  }
  template <int T>
  static void Store(void* at, int64_t stride) {
    for (int r = 0; r < 16; ++r) {
      std::memcpy(static_cast<char*>(at) + r * stride, tile[T].word[r], 64);
    }
  }
  template <int C, int A, int B>
  static void Dot() {
    const auto low = [](float word) {
      return std::bit_cast<float>(std::bit_cast<uint32_t>(word) << 16);
    };
    const auto high = [](float word) {
      return std::bit_cast<float>(std::bit_cast<uint32_t>(word) & 0xffff0000u);
    };
    for (int m = 0; m < 16; ++m) {
      for (int k = 0; k < 16; ++k) {
        const float a = tile[A].word[m][k];
        for (int n = 0; n < 16; ++n) {
          const float b = tile[B].word[k][n];
          tile[C].word[m][n] += low(a) * low(b) + high(a) * high(b);
        }
      }
    }
  }
};

// bf16 by tiles: keys as they are, values turned, [key / 32][element][32], zeros beyond the last.
// A step makes 32 × 32 results in four tiles of four operands. head_dim is a multiple of 32.
template <class Tiles>
struct ByTiles {
  using Word = float;
  static constexpr int64_t kPerWord = 2, kBlock = 256, kStep = 32;
  static_assert(kWidth == 32);
  static constexpr int64_t kStride = kWidth * 4;  // bytes of a row of qt, s, p and o

  static HWY_INLINE void Begin() { Tiles::Configure(); }
  static HWY_INLINE void End() { Tiles::Release(); }

  // Tiles 0 to 3 += a[32][32·steps] · b[16·steps][32 lanes][2]; a advances by `a_step` bytes.
  static HWY_INLINE void Accumulate(const char* a, int64_t a_stride, int64_t a_step, const float* b,
                                    int64_t steps) {
    for (int64_t i = 0; i < steps; ++i, a += a_step, b += 16 * kWidth) {
      Tiles::template Load<4>(a, a_stride);
      Tiles::template Load<6>(b, kStride);
      Tiles::template Load<7>(b + 16, kStride);
      Tiles::template Dot<0, 4, 6>();
      Tiles::template Dot<1, 4, 7>();
      Tiles::template Load<5>(a + 16 * a_stride, a_stride);
      Tiles::template Dot<2, 5, 6>();
      Tiles::template Dot<3, 5, 7>();
    }
  }
  static HWY_INLINE void StoreResults(float* to) {
    Tiles::template Store<0>(to, kStride);
    Tiles::template Store<1>(to + 16, kStride);
    Tiles::template Store<2>(to + 16 * kWidth, kStride);
    Tiles::template Store<3>(to + 16 * kWidth + 16, kStride);
  }

  static HWY_INLINE void Scores(const float* k, int64_t words, const float* qt, int64_t keys,
                                float* s) {
    int64_t j = 0;
    for (; j + 32 <= keys; j += 32) {
      Tiles::template Zero<0>();
      Tiles::template Zero<1>();
      Tiles::template Zero<2>();
      Tiles::template Zero<3>();
      Accumulate(reinterpret_cast<const char*>(k + j * words), words * 4, 64, qt, words / 16);
      StoreResults(s + j * kWidth);
    }
    ScoresByRows<Pairs>(k + j * words, words, qt, keys - j, s + j * kWidth);
  }

  static HWY_INLINE void Values(const float* v, int64_t head_dim, float* p, int64_t keys,
                                const Running& running, bool first, bool shrunk, float* o) {
    const Floats d;
    const int64_t steps = (keys + 31) / 32;
    for (int64_t at = (keys + 1) / 2 * kWidth; at < steps * 16 * kWidth; at += kLanes) {
      hn::Store(hn::Zero(d), d, p + at);
    }
    const Lanes shrink = Lanes::Load(running.shrink);
    for (int64_t e = 0; e < head_dim; e += 32, o += 32 * kWidth) {
      if (first || shrunk) {
        for (int64_t at = 0; at < 32; ++at) {
          for (int n = 0; n < kVectors; ++n) {
            float* x = o + at * kWidth + n * kLanes;
            hn::Store(first ? hn::Zero(d) : hn::Mul(shrink.v[n], hn::Load(d, x)), d, x);
          }
        }
      }
      Tiles::template Load<0>(o, kStride);
      Tiles::template Load<1>(o + 16, kStride);
      Tiles::template Load<2>(o + 16 * kWidth, kStride);
      Tiles::template Load<3>(o + 16 * kWidth + 16, kStride);
      Accumulate(reinterpret_cast<const char*>(v + e * 16), 64, head_dim * 64, p, steps);
      StoreResults(o);
    }
  }

  static HWY_INLINE void Pack(const uint16_t* v, int64_t rows, int64_t head_dim, float* to) {
    HWY_ALIGN float pairs[16 * 256];
    for (int64_t j = 0; j < rows; j += 32, to += 16 * head_dim) {
      const int64_t here = std::min<int64_t>(32, rows - j), words = (here + 1) / 2;
      PackPairs(v + j * head_dim, here, head_dim, pairs);
      std::fill(pairs + words * head_dim, pairs + 16 * head_dim, 0.0f);
      Transpose(pairs, 16, head_dim, to, 16);
    }
  }
};

}  // namespace ridge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_AVX3

#endif
