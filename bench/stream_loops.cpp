#include "stream_loops.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#ifdef __x86_64__
#include <immintrin.h>
#endif

// Compiled with -O3 -ffast-math (a sum may be reordered) and without turning loops into memcpy.
#ifdef __x86_64__
#define EACH_TARGET __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define EACH_TARGET
#endif

namespace ridge::bench {
namespace {

EACH_TARGET float read_part(const float* __restrict a, int64_t count) {
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += a[i];
  return sum;
}
EACH_TARGET void write_part(float s, float* __restrict c, int64_t count) {
  for (int64_t i = 0; i < count; ++i) c[i] = s;
}
EACH_TARGET void copy_part(const float* __restrict a, float* __restrict c, int64_t count) {
  for (int64_t i = 0; i < count; ++i) c[i] = a[i];
}
EACH_TARGET void triad_part(const float* __restrict a, const float* __restrict b, float s,
                            float* __restrict c, int64_t count) {
  for (int64_t i = 0; i < count; ++i) c[i] = a[i] + s * b[i];
}

#ifdef __x86_64__
#define WIDE __attribute__((target("avx512f")))
WIDE void write_wide(float s, float* c, int64_t count) {
  const __m512 v = _mm512_set1_ps(s);
  for (int64_t i = 0; i < count; i += 16) _mm512_stream_ps(c + i, v);
  _mm_sfence();
}
WIDE void copy_wide(const float* a, float* c, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) _mm512_stream_ps(c + i, _mm512_load_ps(a + i));
  _mm_sfence();
}
WIDE void triad_wide(const float* a, const float* b, float s, float* c, int64_t count) {
  const __m512 v = _mm512_set1_ps(s);
  for (int64_t i = 0; i < count; i += 16) {
    _mm512_stream_ps(c + i, _mm512_fmadd_ps(v, _mm512_load_ps(b + i), _mm512_load_ps(a + i)));
  }
  _mm_sfence();
}
void write_narrow(float s, float* c, int64_t count) {
  const __m128 v = _mm_set1_ps(s);
  for (int64_t i = 0; i < count; i += 4) _mm_stream_ps(c + i, v);
  _mm_sfence();
}
void copy_narrow(const float* a, float* c, int64_t count) {
  for (int64_t i = 0; i < count; i += 4) _mm_stream_ps(c + i, _mm_load_ps(a + i));
  _mm_sfence();
}
void triad_narrow(const float* a, const float* b, float s, float* c, int64_t count) {
  const __m128 v = _mm_set1_ps(s);
  for (int64_t i = 0; i < count; i += 4) {
    _mm_stream_ps(c + i, _mm_add_ps(_mm_load_ps(a + i), _mm_mul_ps(v, _mm_load_ps(b + i))));
  }
  _mm_sfence();
}
const bool is_wide = __builtin_cpu_supports("avx512f");
#else
constexpr bool is_wide = false;
const auto write_wide = write_part, write_narrow = write_part;
const auto copy_wide = copy_part, copy_narrow = copy_part;
const auto triad_wide = triad_part, triad_narrow = triad_part;
#endif

// Calls part(first, length) on every thread's share of whole cache lines.
template <class Part>
void split(int64_t count, int threads, const Part& part) {
  if (threads == 1) return part(int64_t{0}, count);
  const int64_t share = (count / threads + 15) / 16 * 16;
#pragma omp parallel num_threads(threads)
  {
    const int64_t first = std::min<int64_t>(count, omp_get_thread_num() * share);
    const int64_t last =
        omp_get_thread_num() + 1 == threads ? count : std::min<int64_t>(count, first + share);
    if (last > first) part(first, last - first);
  }
}

}  // namespace

float loop_read(const float* a, int64_t count, int threads) {
  if (threads == 1) return read_part(a, count);
  float total = 0;
  split(count, threads, [&](int64_t at, int64_t length) {
    const float part = read_part(a + at, length);
#pragma omp atomic
    total += part;
  });
  return total;
}
void loop_write(float s, float* c, int64_t count, int threads) {
  split(count, threads, [=](int64_t at, int64_t length) { write_part(s, c + at, length); });
}
void loop_copy(const float* a, float* c, int64_t count, int threads) {
  split(count, threads, [=](int64_t at, int64_t length) { copy_part(a + at, c + at, length); });
}
void loop_triad(const float* a, const float* b, float s, float* c, int64_t count, int threads) {
  split(count, threads,
        [=](int64_t at, int64_t length) { triad_part(a + at, b + at, s, c + at, length); });
}
void bypass_write(float s, float* c, int64_t count, int threads) {
  split(count, threads,
        [=](int64_t at, int64_t n) { (is_wide ? write_wide : write_narrow)(s, c + at, n); });
}
void bypass_copy(const float* a, float* c, int64_t count, int threads) {
  split(count, threads,
        [=](int64_t at, int64_t n) { (is_wide ? copy_wide : copy_narrow)(a + at, c + at, n); });
}
void bypass_triad(const float* a, const float* b, float s, float* c, int64_t count, int threads) {
  split(count, threads, [=](int64_t at, int64_t n) {
    (is_wide ? triad_wide : triad_narrow)(a + at, b + at, s, c + at, n);
  });
}
void memcpy_copy(const float* a, float* c, int64_t count, int threads) {
  split(count, threads, [=](int64_t at, int64_t length) {
    std::memcpy(c + at, a + at, static_cast<size_t>(length) * sizeof(float));
  });
}

}  // namespace ridge::bench
