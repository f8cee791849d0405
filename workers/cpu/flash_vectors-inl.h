// Vectors of f32, one query a lane, and what is done with them between the two products. Included
// once for each of Highway's targets.
#if defined(RIDGE_FLASH_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGE_FLASH_VECTORS_INL_H
#undef RIDGE_FLASH_VECTORS_INL_H
#else
#define RIDGE_FLASH_VECTORS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#if HWY_TARGET != HWY_SCALAR  // which has no vectors of four
HWY_BEFORE_NAMESPACE();
namespace ridge::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Ints = hn::RebindToSigned<Floats>;
using Words = hn::RebindToUnsigned<Floats>;
using Quad = hn::CappedTag<float, 4>;
using V = hn::Vec<Floats>;
using VQuad = hn::Vec<Quad>;

constexpr int64_t kLanes = hn::MaxLanes(Floats());
// A micro-kernel's accumulators: kRows × kVectors. With 32 registers 16 of them hide the latency of
// a multiply-add, and both loops over heads and keys come out even; 12 are what 16 registers hold.
constexpr int kVectors = HWY_TARGET == HWY_AVX3 ? 2 : 3;
constexpr int kRows = HWY_TARGET == HWY_AVX3 ? 8 : 4;
constexpr int64_t kWidth = kVectors * kLanes;

constexpr float kHidden = -std::numeric_limits<float>::infinity();  // a score
// The largest score of a lane that has seen none: far below any, but the difference is a number.
constexpr float kNothing = -1e30f;

// One vector for each kVectors of a tile's lanes.
struct Lanes {
  V v[kVectors];

  static HWY_INLINE Lanes Load(const float* at) {
    Lanes x;
    for (int n = 0; n < kVectors; ++n) x.v[n] = hn::Load(Floats(), at + n * kLanes);
    return x;
  }
  HWY_INLINE void Store(float* at) const {
    for (int n = 0; n < kVectors; ++n) hn::Store(v[n], Floats(), at + n * kLanes);
  }
};

// 2^x for x <= 0; what is below 2^-100 stays there, so that no product of it is subnormal. A
// polynomial of the fraction, the least greatest relative error of its degree: 7.5e-8, or coarse,
// 7.5e-5, a fiftieth of what rounding to bf16 costs.
template <bool kCoarse>
HWY_INLINE V Exp2(V x) {
  const Floats d;
  const V to_integer = hn::Set(d, 0x1.8p23f);  // its sum with x ends in the integer next to x
  x = hn::Max(x, hn::Set(d, -100.0f));
  const V whole = hn::Add(x, to_integer);
  const V f = hn::Sub(x, hn::Sub(whole, to_integer));
  V p;
  if constexpr (kCoarse) {
    p = hn::MulAdd(hn::Set(d, 0.0551716691f), f, hn::Set(d, 0.242611122f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.693260985f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.999928074f));
  } else {
    p = hn::MulAdd(hn::Set(d, 0.0013276472f), f, hn::Set(d, 0.00967554133f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.0555071327f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.240221197f));
    p = hn::MulAdd(p, f, hn::Set(d, 0.693146967f));
    p = hn::MulAdd(p, f, hn::Set(d, 1.00000007f));
  }
  const Ints di;  // adds the integer to the exponent
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(di, whole));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
}

// Two probabilities a word, as bf16, rounded to nearest (the even one lower).
HWY_INLINE V PairOf(V even, V odd) {
  const Words d;
  const auto half = hn::Set(d, 0x8000u);
  const auto low = hn::ShiftRight<16>(hn::Add(hn::BitCast(d, even), half));
  const auto high = hn::And(hn::Add(hn::BitCast(d, odd), half), hn::Set(d, 0xffff0000u));
  return hn::BitCast(Floats(), hn::Or(low, high));
}

// The elements of tensors: four of them from and to f32. Bits of bf16 are uint16_t.
HWY_INLINE VQuad LoadQuad(const float* at) { return hn::LoadU(Quad(), at); }
HWY_INLINE VQuad LoadQuad(const uint16_t* at) {
  const hn::RebindToUnsigned<Quad> d;
  const hn::Rebind<uint16_t, Quad> half;
  return hn::BitCast(Quad(), hn::ShiftLeft<16>(hn::PromoteTo(d, hn::LoadU(half, at))));
}
HWY_INLINE VQuad LoadQuad(const hwy::float16_t* at) {
  const hn::Rebind<hwy::float16_t, Quad> half;
  return hn::PromoteTo(Quad(), hn::LoadU(half, at));
}
HWY_INLINE void StoreQuad(VQuad x, float* at) { hn::StoreU(x, Quad(), at); }
HWY_INLINE void StoreQuad(VQuad x, uint16_t* at) {
  const hn::RebindToUnsigned<Quad> d;
  const auto bits = hn::BitCast(d, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7fffu))));
  const hn::Rebind<uint16_t, Quad> half;
  hn::StoreU(hn::DemoteTo(half, hn::BitCast(hn::RebindToSigned<Quad>(), rounded)), half, at);
}
HWY_INLINE void StoreQuad(VQuad x, hwy::float16_t* at) {
  const hn::Rebind<hwy::float16_t, Quad> half;
  hn::StoreU(hn::DemoteTo(half, x), half, at);
}

// a[i][j] becomes a[j][i].
HWY_INLINE void TransposeQuads(VQuad (&a)[4]) {
  const hn::RepartitionToWide<hn::RebindToUnsigned<Quad>> wide;
  const auto pairs = [&](VQuad x) { return hn::BitCast(wide, x); };
  const auto low01 = pairs(hn::InterleaveLower(Quad(), a[0], a[1]));
  const auto low23 = pairs(hn::InterleaveLower(Quad(), a[2], a[3]));
  const auto high01 = pairs(hn::InterleaveUpper(Quad(), a[0], a[1]));
  const auto high23 = pairs(hn::InterleaveUpper(Quad(), a[2], a[3]));
  a[0] = hn::BitCast(Quad(), hn::InterleaveLower(wide, low01, low23));
  a[1] = hn::BitCast(Quad(), hn::InterleaveUpper(wide, low01, low23));
  a[2] = hn::BitCast(Quad(), hn::InterleaveLower(wide, high01, high23));
  a[3] = hn::BitCast(Quad(), hn::InterleaveUpper(wide, high01, high23));
}

// to[c][r] = from[r][c] for c in [0, columns) and r in [0, width), both multiples of 4. Where there
// are only `rows` rows, the last stands for those that are missing.
template <class From>
HWY_INLINE void Transpose(const From* HWY_RESTRICT from, int64_t rows, int64_t columns,
                          float* HWY_RESTRICT to, int64_t width) {
  for (int64_t r = 0; r < width; r += 4) {
    const From* row[4];
    for (int64_t i = 0; i < 4; ++i) row[i] = from + std::min(r + i, rows - 1) * columns;
    for (int64_t c = 0; c < columns; c += 4) {
      VQuad quads[4];
      for (int i = 0; i < 4; ++i) quads[i] = LoadQuad(row[i] + c);
      TransposeQuads(quads);
      for (int64_t i = 0; i < 4; ++i) StoreQuad(quads[i], to + (c + i) * width + r);
    }
  }
}

// to[r][c] = from[c][r] · factor[r] for the first `rows` of kWidth lanes.
template <class To>
HWY_INLINE void TransposeBack(const float* HWY_RESTRICT from, const float* HWY_RESTRICT factor,
                              int64_t rows, int64_t columns, To* HWY_RESTRICT to) {
  for (int64_t r = 0; r < rows; r += 4) {
    const VQuad by = LoadQuad(factor + r);
    for (int64_t c = 0; c < columns; c += 4) {
      VQuad quads[4];
      for (int64_t i = 0; i < 4; ++i) {
        quads[i] = hn::Mul(by, LoadQuad(from + (c + i) * kWidth + r));
      }
      TransposeQuads(quads);
      for (int64_t i = 0; i < std::min<int64_t>(4, rows - r); ++i) {
        StoreQuad(quads[i], to + (r + i) * columns + c);
      }
    }
  }
}

// Hides from the lanes of a tile what they do not see: lane r keeps the score of row x where
// x - newest <= r < x - newest + window, `newest` being the row of the newest key that lane 0 sees.
HWY_INLINE void Hide(float* HWY_RESTRICT s, int64_t rows, int64_t newest, int64_t window) {
  const auto bound = [](int64_t lane) {
    return hn::Set(Ints(), static_cast<int32_t>(std::clamp<int64_t>(lane, -1, kWidth)));
  };
  for (int64_t x = 0; x < rows; ++x) {
    const int64_t least = x - newest, beyond = least + window;
    if (least <= 0 && beyond >= kWidth) continue;
    for (int n = 0; n < kVectors; ++n) {
      float* at = s + x * kWidth + n * kLanes;
      const auto lane = hn::Iota(Ints(), static_cast<int32_t>(n * kLanes));
      const auto hidden = hn::Or(hn::Lt(lane, bound(least)),
                                 hn::Gt(hn::Add(lane, hn::Set(Ints(), 1)), bound(beyond)));
      const V score = hn::Load(Floats(), at);
      hn::Store(hn::IfThenElse(hn::RebindMask(Floats(), hidden), hn::Set(Floats(), kHidden), score),
                Floats(), at);
    }
  }
}

// Of each lane: the largest score so far (scaled), the sum of 2^(score - largest), and by how much
// the last block has made the sums before it smaller.
struct Running {
  float largest[kWidth], sum[kWidth], shrink[kWidth];

  HWY_INLINE void Clear() {
    for (float& x : largest) x = kNothing;
    for (float& x : sum) x = 0;
  }
};

// Replaces scores by probabilities (up to the sum), pairs of rows by words where kPairs: an odd
// last row is then followed by one of kHidden. Returns whether any lane has shrunk.
template <bool kPairs>
HWY_INLINE bool Softmax(float* HWY_RESTRICT s, int64_t rows, float scale, Running& running) {
  const Floats d;
  const V by = hn::Set(d, scale);
  Lanes top = Lanes::Load(s), sum = Lanes::Load(running.sum), old = Lanes::Load(running.largest);
  for (int64_t x = 1; x < rows; ++x) {
    for (int n = 0; n < kVectors; ++n) {
      top.v[n] = hn::Max(top.v[n], hn::Load(d, s + x * kWidth + n * kLanes));
    }
  }
  bool shrunk = false;
  V below[kVectors];
  for (int n = 0; n < kVectors; ++n) {
    top.v[n] = hn::Max(old.v[n], hn::Mul(top.v[n], by));
    shrunk = shrunk || !hn::AllTrue(d, hn::Eq(top.v[n], old.v[n]));
    old.v[n] = Exp2<false>(hn::Sub(old.v[n], top.v[n]));
    sum.v[n] = hn::Mul(sum.v[n], old.v[n]);
    below[n] = hn::Neg(top.v[n]);
  }
  top.Store(running.largest);
  old.Store(running.shrink);
  const auto power = [&](int64_t x, int n) HWY_ATTR {
    const V score = hn::Load(d, s + x * kWidth + n * kLanes);
    return Exp2<kPairs>(hn::MulAdd(score, by, below[n]));
  };
  for (int64_t x = 0; x < rows; x += kPairs ? 2 : 1) {
    for (int n = 0; n < kVectors; ++n) {
      V p = power(x, n);
      sum.v[n] = hn::Add(sum.v[n], p);
      if constexpr (kPairs) {
        const V odd = power(x + 1, n);
        sum.v[n] = hn::Add(sum.v[n], odd);
        p = PairOf(p, odd);
      }
      hn::Store(p, d, s + (kPairs ? x / 2 : x) * kWidth + n * kLanes);
    }
  }
  sum.Store(running.sum);
  return shrunk;
}

}  // namespace ridge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_SCALAR

#endif
