#include "stream_kernels.h"

#include <atomic>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "stream_kernels.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // compiles this file once for each target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridge::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Narrow = hn::CappedTag<float, 8>;

constexpr int64_t kChunk = 8192;

// Elements of an array (512 KiB) from which on it does not fit the second-level cache. There Zen 4
// moves 8 to 20 % more with 32-byte vectors than with 64-byte ones; within it, wide ones can be
// twice as fast (Intel).
constexpr int64_t kFar = int64_t{1} << 17;
// And from which on (8 MiB) three of it do not fit a share of the last-level cache: there eight
// vectors a step win 15 % over four in a triad, before it they lose 3 %.
constexpr int64_t kMemory = int64_t{1} << 21;

// Keeps the compiler from moving loads and stores across: addresses that rise line by line, each
// line stored before the next is loaded, are what prefetchers follow. Left to itself g++ permutes
// them within a step, which costs a copy in memory 30 %, a read 10 %. Prefetching by hand loses.
HWY_INLINE void InOrder() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// Eight sums: additions of 4 cycles, two a cycle, must not wait for each other.
template <class D>
HWY_INLINE float Sum(D d, const float* HWY_RESTRICT a, int64_t count) {
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  int64_t i = 0;
  for (; i + 8 * n <= count; i += 8 * n) {
    s0 = hn::Add(s0, hn::Load(d, a + i));
    InOrder();
    s1 = hn::Add(s1, hn::Load(d, a + i + n));
    InOrder();
    s2 = hn::Add(s2, hn::Load(d, a + i + 2 * n));
    InOrder();
    s3 = hn::Add(s3, hn::Load(d, a + i + 3 * n));
    InOrder();
    s4 = hn::Add(s4, hn::Load(d, a + i + 4 * n));
    InOrder();
    s5 = hn::Add(s5, hn::Load(d, a + i + 5 * n));
    InOrder();
    s6 = hn::Add(s6, hn::Load(d, a + i + 6 * n));
    InOrder();
    s7 = hn::Add(s7, hn::Load(d, a + i + 7 * n));
    InOrder();
  }
  for (; i < count; i += n) s0 = hn::Add(s0, hn::Load(d, a + i));
  s0 = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
  s4 = hn::Add(hn::Add(s4, s5), hn::Add(s6, s7));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s4)));
}

void Read(const float* HWY_RESTRICT a, int64_t count, float* HWY_RESTRICT sums) {
  const bool far = count >= kFar;
  for (int64_t i = 0; i < count; i += kChunk) {
    const int64_t length = count - i < kChunk ? count - i : kChunk;
    *sums++ = far ? Sum(Narrow(), a + i, length) : Sum(Tag(), a + i, length);
  }
}

struct Plain {
  template <class D>
  static HWY_INLINE void Put(hn::Vec<D> v, D d, float* c) {
    hn::Store(v, d, c);
  }
};
struct Bypass {
  template <class D>
  static HWY_INLINE void Put(hn::Vec<D> v, D d, float* c) {
    hn::Stream(v, d, c);
  }
};

// kStep vectors a step, written out: the loop's own instructions no longer count.
template <class Store, int kStep, class D, class Value>
HWY_INLINE void Fill(D d, float* HWY_RESTRICT c, int64_t count, const Value& value) {
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + kStep * n <= count; i += kStep * n) {
    HWY_UNROLL(8)
    for (int v = 0; v < kStep; ++v) {
      Store::Put(value(d, i + v * n), d, c + i + v * n);
      InOrder();
    }
  }
  for (; i < count; i += n) Store::Put(value(d, i), d, c + i);
}

// Scalars, not vectors, are the members: vectors of a length unknown here (SVE) cannot be.
struct Constant {
  float s;
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, int64_t) const {
    return hn::Set(d, s);
  }
};
struct Element {
  const float* HWY_RESTRICT a;
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, int64_t i) const {
    return hn::Load(d, a + i);
  }
};
struct MulAdd {
  const float* HWY_RESTRICT a;
  const float* HWY_RESTRICT b;
  float s;
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, int64_t i) const {
    return hn::MulAdd(hn::Set(d, s), hn::Load(d, b + i), hn::Load(d, a + i));
  }
};

template <class Value>
HWY_INLINE void FillEither(float* c, int64_t count, bool bypass, const Value& value) {
  if (!bypass) {
    if (count < kFar) return Fill<Plain, 4>(Tag(), c, count, value);
    if (count < kMemory) return Fill<Plain, 4>(Narrow(), c, count, value);
    return Fill<Plain, 8>(Narrow(), c, count, value);
  }
  Fill<Bypass, 4>(Tag(), c, count, value);
  hwy::FlushStream();
}

void Write(float s, float* c, int64_t count, bool bypass) {
  FillEither(c, count, bypass, Constant{s});
}
void Copy(const float* a, float* c, int64_t count, bool bypass) {
  FillEither(c, count, bypass, Element{a});
}
void Triad(const float* a, const float* b, float s, float* c, int64_t count, bool bypass) {
  FillEither(c, count, bypass, MulAdd{a, b, s});
}

}  // namespace ridge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridge::cpu {
namespace {

HWY_EXPORT(Read);
HWY_EXPORT(Write);
HWY_EXPORT(Copy);
HWY_EXPORT(Triad);

int64_t best_target() {
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets & -targets;  // the lowest bit is the best
}

}  // namespace

void stream_read(const float* a, int64_t count, float* sums) {
  HWY_DYNAMIC_DISPATCH(Read)(a, count, sums);
}
void stream_write(float s, float* c, int64_t count, bool bypass) {
  HWY_DYNAMIC_DISPATCH(Write)(s, c, count, bypass);
}
void stream_copy(const float* a, float* c, int64_t count, bool bypass) {
  HWY_DYNAMIC_DISPATCH(Copy)(a, c, count, bypass);
}
void stream_triad(const float* a, const float* b, float s, float* c, int64_t count, bool bypass) {
  HWY_DYNAMIC_DISPATCH(Triad)(a, b, s, c, count, bypass);
}

std::string highway_version() {
  return std::to_string(HWY_MAJOR) + "." + std::to_string(HWY_MINOR) + "." +
         std::to_string(HWY_PATCH);
}

std::string highway_target() { return hwy::TargetName(best_target()); }

bool drop_best_highway_target() {
  const int64_t best = best_target();
  if (best == HWY_STATIC_TARGET) return false;
  hwy::DisableTargets(2 * best - 1);  // each call forgets the last: all that were dropped, again
  hwy::GetChosenTarget().DeInit();    // Highway 1.0.3 leaves that out: calls would go on as before
  return best_target() != best;
}

}  // namespace ridge::cpu
#endif
