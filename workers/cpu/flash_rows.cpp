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

// Keys of a block: their scores are weighed before the values are read, and lie in the first-level
// cache with what they are of.
constexpr int64_t kKeys = 64;
// Elements of a row that are summed at a time, one vector each.
constexpr int kStrip = 4;
constexpr int64_t kMostHeadDim = 256;

HWY_INLINE V LoadElements(const float* at) { return hn::LoadU(Floats(), at); }
HWY_INLINE V LoadElements(const uint16_t* at) {
  const hn::Rebind<uint16_t, Floats> half;
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(Words(), hn::LoadU(half, at))));
}
HWY_INLINE V LoadElements(const hwy::float16_t* at) {
  const hn::Rebind<hwy::float16_t, Floats> half;
  return hn::PromoteTo(Floats(), hn::LoadU(half, at));
}

// Scores of R rows and, in their place, their weights.
template <int R>
struct Weights {
  HWY_ALIGN float p[R][kKeys];
  float shrink[R];
};

// o[r][e] = shrink[r] · o[r][e] + sum over j of p[r][j] · v[j][e], of kCount vectors; rows of o lie
// `stride` apart.
template <int kCount, int R, class Element>
HWY_INLINE void Weigh(const Element* HWY_RESTRICT v, int64_t head_dim, const Weights<R>& weights,
                      int64_t keys, float* HWY_RESTRICT o, int64_t stride) {
  const Floats d;
  V sum[R][kCount];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int n = 0; n < kCount; ++n) {
      sum[r][n] = hn::Mul(hn::Set(d, weights.shrink[r]), hn::LoadU(d, o + r * stride + n * kLanes));
    }
  }
  for (int64_t j = 0; j < keys; ++j, v += head_dim) {
    V value[kCount];
#pragma GCC unroll 16
    for (int n = 0; n < kCount; ++n) value[n] = LoadElements(v + n * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V weight = hn::Set(d, weights.p[r][j]);
#pragma GCC unroll 16
      for (int n = 0; n < kCount; ++n) sum[r][n] = hn::MulAdd(weight, value[n], sum[r][n]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int n = 0; n < kCount; ++n) hn::StoreU(sum[r][n], d, o + r * stride + n * kLanes);
  }
}

// R rows against the `keys` keys k and values v of a block, of which row r sees seen[r]. q is f32.
// Every key and value is loaded once for all R. partials: see flash_rows.h.
template <int R, class Element>
HWY_INLINE void RowsBlock(const float* HWY_RESTRICT q, const Element* HWY_RESTRICT k,
                          const Element* HWY_RESTRICT v, int64_t head_dim, int64_t keys,
                          float scale, const KeyRange* seen, float* HWY_RESTRICT partials) {
  const Floats d;
  const int64_t stride = head_dim + 2;
  Weights<R> weights;
  for (int64_t j = 0; j < keys; ++j, k += head_dim) {
    V sum[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sum[r] = hn::Zero(d);
    for (int64_t e = 0; e < head_dim; e += kLanes) {
      const V key = LoadElements(k + e);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        sum[r] = hn::MulAdd(hn::Load(d, q + r * kMostHeadDim + e), key, sum[r]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const float score = hn::GetLane(hn::SumOfLanes(d, sum[r])) * scale;
      weights.p[r][j] = j >= seen[r].begin && j < seen[r].end ? score : kHidden;
    }
  }
  const int64_t whole = (keys + kLanes - 1) / kLanes * kLanes;
  for (int r = 0; r < R; ++r) {
    float* p = weights.p[r];
    float& largest = partials[r * stride + head_dim];
    float& sum = partials[r * stride + head_dim + 1];
    std::fill(p + keys, p + whole, kHidden);
    V top = hn::Set(d, largest);
    for (int64_t j = 0; j < whole; j += kLanes) top = hn::Max(top, hn::Load(d, p + j));
    top = hn::MaxOfLanes(d, top);
    weights.shrink[r] = hn::GetLane(Exp2<false>(hn::Sub(hn::Set(d, largest), top)));
    largest = hn::GetLane(top);
    V total = hn::Zero(d);
    for (int64_t j = 0; j < whole; j += kLanes) {
      const V weight = Exp2<false>(hn::Sub(hn::Load(d, p + j), top));
      total = hn::Add(total, weight);
      hn::Store(weight, d, p + j);
    }
    sum = sum * weights.shrink[r] + hn::GetLane(hn::SumOfLanes(d, total));
  }
  int64_t e = 0;
  for (; e + kStrip * kLanes <= head_dim; e += kStrip * kLanes) {
    Weigh<kStrip, R>(v + e, head_dim, weights, keys, partials + e, stride);
  }
  for (; e < head_dim; e += kLanes) {
    Weigh<1, R>(v + e, head_dim, weights, keys, partials + e, stride);
  }
}

int64_t PartialFloats(int64_t head_dim) { return head_dim + 2; }

// Rows [first, first + R).
template <int R, class Element>
void AttendSome(const FlashHead& head, int64_t first, int64_t begin, int64_t end, float* partials) {
  const int64_t width = head.head_dim;
  HWY_ALIGN float q[R * kMostHeadDim];
  KeyRange seen[R], all{end, begin};
  for (int r = 0; r < R; ++r) {
    const auto* row = static_cast<const Element*>(head.q) + (first + r) * width;
    for (int64_t e = 0; e < width; e += kLanes) {
      hn::Store(LoadElements(row + e), Floats(), q + r * kMostHeadDim + e);
    }
    const int64_t query = (first + r) % head.seq_q;
    seen[r] = seen_by(head, query, query);
    all = {std::min(all.begin, seen[r].begin), std::max(all.end, seen[r].end)};
    float* partial = partials + (first + r) * PartialFloats(width);
    std::fill_n(partial, width, 0.0f);
    partial[width] = kNothing;
    partial[width + 1] = 0;
  }
  const int64_t last = std::min(end, all.end);
  for (int64_t j = std::max(begin, all.begin); j < last; j += kKeys) {
    KeyRange here[R];
    for (int r = 0; r < R; ++r) here[r] = {seen[r].begin - j, seen[r].end - j};
    RowsBlock<R>(q, static_cast<const Element*>(head.k) + j * width,
                 static_cast<const Element*>(head.v) + j * width, width, std::min(kKeys, last - j),
                 head.scale, here, partials + first * PartialFloats(width));
  }
}

template <class Element>
void AttendRows(const FlashHead& head, int64_t rows, int64_t begin, int64_t end, float* partials) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) AttendSome<4, Element>(head, r, begin, end, partials);
  for (; r + 2 <= rows; r += 2) AttendSome<2, Element>(head, r, begin, end, partials);
  for (; r < rows; ++r) AttendSome<1, Element>(head, r, begin, end, partials);
}

template <class Element>
void CombineRows(const FlashHead& head, int64_t rows, int64_t cuts, const float* partials) {
  const int64_t width = head.head_dim, step = rows * PartialFloats(width);
  for (int64_t r = 0; r < rows; ++r) {
    const float* partial = partials + r * PartialFloats(width);
    float largest = kNothing, weights = 0;
    for (int64_t c = 0; c < cuts; ++c) largest = std::max(largest, partial[c * step + width]);
    HWY_ALIGN float sum[kMostHeadDim] = {};
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
