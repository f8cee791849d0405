// The two products of a block, in three ways that differ in what a multiply-add is: of f32, of
// pairs of bf16 (AVX512_BF16), of tiles of bf16 (AMX, flash_tiles-inl.h). Highway 1.0.3 has no word
// for the last two: they are written as assembler. Included once for each of Highway's targets.
//
// Each way says
//   Word              what a lane multiplies: an element of f32, a pair of bf16 along the reduction
//   kPerWord, kBlock  elements of a word; keys of a block
//   kStep             keys that a block's beginning is a multiple of
//   Scores(k, words, qt, keys, s)   s[key][lane] = sum over words of k[key][w] · qt[w][lane]
//   Values(v, head_dim, p, keys, running, first, shrunk, o)
//                     o[e][lane] = shrink · o + sum over keys of v[key][e] · p[key][lane]
//   Pack              values into the order in which Values reads them
#if defined(RIDGE_FLASH_PRODUCTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGE_FLASH_PRODUCTS_INL_H
#undef RIDGE_FLASH_PRODUCTS_INL_H
#else
#define RIDGE_FLASH_PRODUCTS_INL_H
#endif

#include <bit>
#include <cstring>

#include "flash_vectors-inl.h"

#if HWY_TARGET != HWY_SCALAR  // which has no vectors of four
HWY_BEFORE_NAMESPACE();
namespace ridge::cpu::HWY_NAMESPACE {

// s[r][lane] of R keys, all in registers.
template <class Way, int R>
HWY_INLINE void ScoresOf(const typename Way::Word* HWY_RESTRICT k, int64_t words,
                         const float* HWY_RESTRICT qt, float* HWY_RESTRICT s) {
  const Floats d;
  V sum[R][kVectors];
  for (auto& row : sum) {
    for (V& x : row) x = hn::Zero(d);
  }
  for (int64_t w = 0; w < words; ++w) {
    const Lanes q = Lanes::Load(qt + w * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int n = 0; n < kVectors; ++n) {
        sum[r][n] = Way::MulAdd(k[r * words + w], q.v[n], sum[r][n]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int n = 0; n < kVectors; ++n) hn::Store(sum[r][n], d, s + r * kWidth + n * kLanes);
  }
}

template <class Way>
HWY_INLINE void ScoresByRows(const typename Way::Word* k, int64_t words, const float* qt,
                             int64_t keys, float* s) {
  for (int64_t j = 0; keys >= kRows && j < keys; j += kRows) {
    const int64_t at = std::min(j, keys - kRows);  // the last ones once more
    ScoresOf<Way, kRows>(k + at * words, words, qt, s + at * kWidth);
  }
  for (int64_t j = 0; keys < kRows && j < keys; ++j) {
    ScoresOf<Way, 1>(k + j * words, words, qt, s + j * kWidth);
  }
}

// kRows elements of the output; v[i] are the words of one step of the reduction.
template <class Way>
HWY_INLINE void ValuesOf(const typename Way::Word* HWY_RESTRICT v, int64_t stride,
                         const float* HWY_RESTRICT p, int64_t steps, const Running& running,
                         bool first, float* HWY_RESTRICT o) {
  const Floats d;
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int n = 0; n < kVectors; ++n) {
    const V shrink = hn::Load(d, running.shrink + n * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      sum[r][n] = first ? hn::Zero(d) : hn::Mul(shrink, hn::Load(d, o + r * kWidth + n * kLanes));
    }
  }
  for (int64_t i = 0; i < steps; ++i, v += stride) {
    const Lanes b = Lanes::Load(p + i * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int n = 0; n < kVectors; ++n) sum[r][n] = Way::MulAdd(v[r], b.v[n], sum[r][n]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int n = 0; n < kVectors; ++n) hn::Store(sum[r][n], d, o + r * kWidth + n * kLanes);
  }
}

template <class Way>
HWY_INLINE void ValuesByRows(const typename Way::Word* v, int64_t head_dim, const float* p,
                             int64_t keys, const Running& running, bool first, float* o) {
  const int64_t steps = (keys + Way::kPerWord - 1) / Way::kPerWord;
  for (int64_t e = 0; e < head_dim; e += kRows) {
    ValuesOf<Way>(v + e, head_dim, p, steps, running, first, o + e * kWidth);
  }
}

// Tensors of f32 as they are; of other elements, made f32 beforehand.
struct Singles {
  using Word = float;
  static constexpr int64_t kPerWord = 1, kBlock = 128, kStep = 1;
  static HWY_INLINE V MulAdd(const float& a, V b, V c) {
    return hn::MulAdd(hn::Set(Floats(), a), b, c);
  }
  static HWY_INLINE void Begin() {}
  static HWY_INLINE void End() {}
  static HWY_INLINE void Scores(const float* k, int64_t words, const float* qt, int64_t keys,
                                float* s) {
    ScoresByRows<Singles>(k, words, qt, keys, s);
  }
  static HWY_INLINE void Values(const float* v, int64_t head_dim, const float* p, int64_t keys,
                                const Running& running, bool first, bool, float* o) {
    ValuesByRows<Singles>(v, head_dim, p, keys, running, first, o);
  }
};

#if HWY_TARGET == HWY_AVX3

// Words of rows j and j + 1, element by element; what lies beyond the last row is 0.
HWY_INLINE void PackPairs(const uint16_t* HWY_RESTRICT v, int64_t rows, int64_t head_dim,
                          float* HWY_RESTRICT to) {
  const hn::Rebind<uint16_t, Floats> half;
  for (int64_t j = 0; j < rows; j += 2) {
    for (int64_t e = 0; e < head_dim; e += kLanes) {
      auto word = hn::PromoteTo(Words(), hn::LoadU(half, v + j * head_dim + e));
      if (j + 1 < rows) {
        const auto odd = hn::PromoteTo(Words(), hn::LoadU(half, v + (j + 1) * head_dim + e));
        word = hn::Or(word, hn::ShiftLeft<16>(odd));
      }
      hn::Store(hn::BitCast(Floats(), word), Floats(), to + j / 2 * head_dim + e);
    }
  }
}

// bf16, two products and their sum a lane: keys as they are, values [key / 2][element][2].
struct Pairs {
  using Word = float;  // the bits of two bf16
  static constexpr int64_t kPerWord = 2, kBlock = 128, kStep = 2;
  static HWY_INLINE V MulAdd(const float& a, V b, V c) {
    __m512 sum = c.raw;
    asm("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(b.raw), "m"(a));
    return V{sum};
  }
  static HWY_INLINE void Begin() {}
  static HWY_INLINE void End() {}
  static HWY_INLINE void Scores(const float* k, int64_t words, const float* qt, int64_t keys,
                                float* s) {
    ScoresByRows<Pairs>(k, words, qt, keys, s);
  }
  static HWY_INLINE void Values(const float* v, int64_t head_dim, const float* p, int64_t keys,
                                const Running& running, bool first, bool, float* o) {
    ValuesByRows<Pairs>(v, head_dim, p, keys, running, first, o);
  }
  static HWY_INLINE void Pack(const uint16_t* v, int64_t rows, int64_t head_dim, float* to) {
    PackPairs(v, rows, head_dim, to);
  }
};

#endif  // HWY_AVX3

}  // namespace ridge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_SCALAR

#endif
