#include "attention_kernels.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention_kernels.cpp"
// clang-format off
#include <hwy/foreach_target.h>  // compiles this file once for each target
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ridge::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using One = hn::CappedTag<float, 1>;

// How elements are stored: each gives f32 vectors and takes them.
struct F32 {
  using T = float;
  template <class D>
  static HWY_INLINE hn::Vec<D> Get(D d, const T* at) {
    return hn::LoadU(d, at);
  }
  template <class D>
  static HWY_INLINE void Put(D d, hn::Vec<D> v, T* at) {
    hn::StoreU(v, d, at);
  }
};
struct Bf16 {
  using T = uint16_t;
  template <class D>
  static HWY_INLINE hn::Vec<D> Get(D d, const T* at) {
    const hn::RebindToUnsigned<D> bits;
    const hn::Rebind<uint16_t, D> half;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, hn::LoadU(half, at))));
  }
  // To nearest even; Highway's own DemoteTo cuts. There are no NaNs.
  template <class D>
  static HWY_INLINE void Put(D d, hn::Vec<D> v, T* at) {
    const hn::RebindToUnsigned<D> bits;
    const hn::RebindToSigned<D> integer;
    const hn::Rebind<uint16_t, D> half;
    const auto raw = hn::BitCast(bits, v);
    const auto odd = hn::And(hn::ShiftRight<16>(raw), hn::Set(bits, 1));
    const auto up = hn::Add(raw, hn::Add(odd, hn::Set(bits, 0x7fff)));
    hn::StoreU(hn::DemoteTo(half, hn::BitCast(integer, hn::ShiftRight<16>(up))), half, at);
    (void)d;
  }
};
struct F16 {
  using T = hwy::float16_t;
  template <class D>
  static HWY_INLINE hn::Vec<D> Get(D d, const T* at) {
    const hn::Rebind<hwy::float16_t, D> half;
    return hn::PromoteTo(d, hn::LoadU(half, at));
  }
  template <class D>
  static HWY_INLINE void Put(D d, hn::Vec<D> v, T* at) {
    const hn::Rebind<hwy::float16_t, D> half;
    hn::StoreU(hn::DemoteTo(half, v), half, at);
    (void)d;
  }
};

// Calls body(d, i) for steps of vectors over [first, last), then for single elements.
template <class Body>
HWY_INLINE void Over(int64_t first, int64_t last, const Body& body) {
  const auto n = static_cast<int64_t>(hn::Lanes(Tag()));
  int64_t i = first;
  for (; i + n <= last; i += n) body(Tag(), i);
  for (; i < last; ++i) body(One(), i);
}

template <class Type>
void Softmax(void* raw, int64_t first, int64_t last, int64_t count, float scale, float* room) {
  auto* row = static_cast<typename Type::T*>(raw);
  const Tag d;
  const One one;
  auto most = hn::Set(d, -INFINITY);
  auto rest = hn::Set(one, -INFINITY);
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = first;
  for (; i + n <= last; i += n) most = hn::Max(most, Type::Get(d, row + i));
  for (; i < last; ++i) rest = hn::Max(rest, Type::Get(one, row + i));
  const float highest = HWY_MAX(hn::GetLane(hn::MaxOfLanes(d, most)), hn::GetLane(rest));

  auto sum = hn::Zero(d);
  float tail = 0;
  for (i = first; i + n <= last; i += n) {
    const auto x = hn::Sub(Type::Get(d, row + i), hn::Set(d, highest));
    const auto e = hn::Exp(d, hn::Mul(x, hn::Set(d, scale)));
    sum = hn::Add(sum, e);
    hn::StoreU(e, d, room + i);
  }
  for (; i < last; ++i) {
    const auto x = hn::Sub(Type::Get(one, row + i), hn::Set(one, highest));
    room[i] = hn::GetLane(hn::Exp(one, hn::Mul(x, hn::Set(one, scale))));
    tail += room[i];
  }
  const float share = 1 / (hn::GetLane(hn::SumOfLanes(d, sum)) + tail);
  Over(first, last, [&](auto tag, int64_t at) HWY_ATTR {
    Type::Put(tag, hn::Mul(hn::LoadU(tag, room + at), hn::Set(tag, share)), row + at);
  });
  std::memset(row, 0, static_cast<size_t>(first) * sizeof *row);
  std::memset(row + last, 0, static_cast<size_t>(count - last) * sizeof *row);
}

template <class Type>
void Gradient(const void* raw_p, void* raw_grad, int64_t count, float scale) {
  const auto* p = static_cast<const typename Type::T*>(raw_p);
  auto* grad = static_cast<typename Type::T*>(raw_grad);
  const Tag d;
  const One one;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  auto rest = hn::Zero(one);
  int64_t i = 0;
  for (; i + n <= count; i += n) {
    sum = hn::MulAdd(Type::Get(d, p + i), Type::Get(d, grad + i), sum);
  }
  for (; i < count; ++i) {
    rest = hn::MulAdd(Type::Get(one, p + i), Type::Get(one, grad + i), rest);
  }
  const float delta = hn::GetLane(hn::SumOfLanes(d, sum)) + hn::GetLane(rest);
  Over(0, count, [&](auto tag, int64_t at) HWY_ATTR {
    const auto change = hn::Sub(Type::Get(tag, grad + at), hn::Set(tag, delta));
    const auto weight = hn::Mul(Type::Get(tag, p + at), hn::Set(tag, scale));
    Type::Put(tag, hn::Mul(weight, change), grad + at);
  });
}

void SoftmaxRow(DType dtype, void* row, int64_t first, int64_t last, int64_t count, float scale,
                float* room) {
  switch (dtype) {
    case DType::f32: return Softmax<F32>(row, first, last, count, scale, room);
    case DType::bf16: return Softmax<Bf16>(row, first, last, count, scale, room);
    case DType::f16: return Softmax<F16>(row, first, last, count, scale, room);
    default: throw std::logic_error("softmax: no such dtype");
  }
}

void GradientRow(DType dtype, const void* p, void* grad, int64_t count, float scale) {
  switch (dtype) {
    case DType::f32: return Gradient<F32>(p, grad, count, scale);
    case DType::bf16: return Gradient<Bf16>(p, grad, count, scale);
    case DType::f16: return Gradient<F16>(p, grad, count, scale);
    default: throw std::logic_error("softmax gradient: no such dtype");
  }
}

}  // namespace ridge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridge::cpu {
namespace {
HWY_EXPORT(SoftmaxRow);
HWY_EXPORT(GradientRow);
}  // namespace

void softmax_row(DType dtype, void* row, int64_t first, int64_t last, int64_t count, float scale,
                 float* room) {
  HWY_DYNAMIC_DISPATCH(SoftmaxRow)(dtype, row, first, last, count, scale, room);
}
void softmax_gradient_row(DType dtype, const void* p, void* grad_p, int64_t count, float scale) {
  HWY_DYNAMIC_DISPATCH(GradientRow)(dtype, p, grad_p, count, scale);
}

}  // namespace ridge::cpu
#endif
