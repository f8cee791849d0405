#include "flash_rows.h"

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flash_rows.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for each target
#include <hwy/highway.h>

#include "flash_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridge::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
const FlashRows* GetRows(DType) { return nullptr; }
#else

// Keys of a block: their scores are weighed before the values are read.
constexpr int64_t kKeys = 128;
// Elements of a row that are summed at a time, one vector each.
constexpr int kStrip = 4;

HWY_INLINE V LoadElements(const float* at) { return hn::LoadU(Floats(), at); }
HWY_INLINE V LoadElements(const uint16_t* at) {
  const hn::Rebind<uint16_t, Floats> half;
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(Words(), hn::LoadU(half, at))));
}
HWY_INLINE V LoadElements(const hwy::float16_t* at) {
  const hn::Rebind<hwy::float16_t, Floats> half;
  return hn::PromoteTo(Floats(), hn::LoadU(half, at));
}

// o[e] = shrink · o[e] + sum over j of p[j] · v[j][e], kCount vectors.
template <int kCount, class Element>
HWY_INLINE void Weigh(const Element* HWY_RESTRICT v, int64_t head_dim, const float* HWY_RESTRICT p,
                      int64_t keys, float shrink, float* HWY_RESTRICT o) {
  const Floats d;
  V sum[kCount];
#pragma GCC unroll 16
  for (int n = 0; n < kCount; ++n) {
    sum[n] = hn::Mul(hn::Set(d, shrink), hn::LoadU(d, o + n * kLanes));
  }
  for (int64_t j = 0; j < keys; ++j, v += head_dim) {
    const V weight = hn::Set(d, p[j]);
#pragma GCC unroll 16
    for (int n = 0; n < kCount; ++n) {
      sum[n] = hn::MulAdd(weight, LoadElements(v + n * kLanes), sum[n]);
    }
  }
#pragma GCC unroll 16
  for (int n = 0; n < kCount; ++n) hn::StoreU(sum[n], d, o + n * kLanes);
}

// One row against keys k and values v of a block; partial: see flash_rows.h.
template <class Element>
HWY_INLINE void RowBlock(const Element* HWY_RESTRICT q, const Element* HWY_RESTRICT k,
                         const Element* HWY_RESTRICT v, int64_t head_dim, int64_t keys, float scale,
                         float* HWY_RESTRICT partial) {
  const Floats d;
  HWY_ALIGN float p[kKeys];
  float largest = partial[head_dim];
  for (int64_t j = 0; j < keys; ++j, k += head_dim) {
    V sum = hn::Mul(LoadElements(q), LoadElements(k));
    for (int64_t e = kLanes; e < head_dim; e += kLanes) {
      sum = hn::MulAdd(LoadElements(q + e), LoadElements(k + e), sum);
    }
    p[j] = hn::GetLane(hn::SumOfLanes(d, sum)) * scale;
    largest = std::max(largest, p[j]);
  }
  const float shrink = hn::GetLane(Exp2<false>(hn::Set(d, partial[head_dim] - largest)));
  std::fill(p + keys, p + (keys + kLanes - 1) / kLanes * kLanes, kHidden);
  V weights = hn::Zero(d);
  for (int64_t j = 0; j < keys; j += kLanes) {
    const V weight = Exp2<false>(hn::Sub(hn::Load(d, p + j), hn::Set(d, largest)));
    weights = hn::Add(weights, weight);
    hn::Store(weight, d, p + j);
  }
  partial[head_dim] = largest;
  partial[head_dim + 1] = partial[head_dim + 1] * shrink + hn::GetLane(hn::SumOfLanes(d, weights));
  int64_t e = 0;
  for (; e + kStrip * kLanes <= head_dim; e += kStrip * kLanes) {
    Weigh<kStrip>(v + e, head_dim, p, keys, shrink, partial + e);
  }
  for (; e < head_dim; e += kLanes) Weigh<1>(v + e, head_dim, p, keys, shrink, partial + e);
}

int64_t PartialFloats(int64_t head_dim) { return head_dim + 2; }

template <class Element>
void AttendRows(const FlashHead& head, int64_t rows, int64_t begin, int64_t end, float* partials) {
  const auto* q = static_cast<const Element*>(head.q);
  const auto* k = static_cast<const Element*>(head.k);
  const auto* v = static_cast<const Element*>(head.v);
  const int64_t width = head.head_dim;
  for (int64_t r = 0; r < rows; ++r) {
    float* partial = partials + r * PartialFloats(width);
    std::fill_n(partial, width, 0.0f);
    partial[width] = kNothing;
    partial[width + 1] = 0;
  }
  for (int64_t j = begin; j < end; j += kKeys) {
    for (int64_t r = 0; r < rows; ++r) {
      const KeyRange seen = seen_by(head, r % head.seq_q, r % head.seq_q);
      const int64_t from = std::max(j, seen.begin), to = std::min({j + kKeys, end, seen.end});
      if (from >= to) continue;
      RowBlock(q + r * width, k + from * width, v + from * width, width, to - from, head.scale,
               partials + r * PartialFloats(width));
    }
  }
}

template <class Element>
void CombineRows(const FlashHead& head, int64_t rows, int64_t cuts, const float* partials) {
  const int64_t width = head.head_dim, step = rows * PartialFloats(width);
  for (int64_t r = 0; r < rows; ++r) {
    const float* partial = partials + r * PartialFloats(width);
    float largest = kNothing, weights = 0;
    for (int64_t c = 0; c < cuts; ++c) largest = std::max(largest, partial[c * step + width]);
    HWY_ALIGN float sum[256] = {};
    for (int64_t c = 0; c < cuts; ++c) {
      const float* part = partial + c * step;
      const float share = std::exp2(part[width] - largest);
      weights += share * part[width + 1];
      for (int64_t e = 0; e < width; ++e) sum[e] += share * part[e];
    }
    auto* out = static_cast<Element*>(head.o) + r * width;
    for (int64_t e = 0; e < width; e += 4) {
      const VQuad by = hn::Set(Quad(), 1 / weights);
      StoreQuad(hn::Mul(by, LoadQuad(sum + e)), out + e);
    }
  }
}

template <class Element>
const FlashRows* Rows() {
  static const FlashRows rows{PartialFloats, AttendRows<Element>, CombineRows<Element>};
  return &rows;
}

const FlashRows* GetRows(DType dtype) {
  switch (dtype) {
    case DType::f32: return Rows<float>();
    case DType::bf16: return Rows<uint16_t>();
    case DType::f16: return Rows<hwy::float16_t>();
    default: return nullptr;
  }
}
#endif  // HWY_SCALAR

}  // namespace ridge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridge::cpu {
namespace {
HWY_EXPORT(GetRows);
}
const FlashRows* flash_rows(DType dtype) { return HWY_DYNAMIC_DISPATCH(GetRows)(dtype); }
}  // namespace ridge::cpu
#endif
