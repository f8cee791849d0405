#pragma once

#include <cstdint>

// The direct side of stream_direct: what people write. Arrays of `count` floats, all threads of the
// team (OpenMP's static schedule), or one where `threads` is 1.
namespace ridge::bench {

float loop_read(const float* a, int64_t count, int threads);
void loop_write(float s, float* c, int64_t count, int threads);
void loop_copy(const float* a, float* c, int64_t count, int threads);
void loop_triad(const float* a, const float* b, float s, float* c, int64_t count, int threads);

// The same with the widest non-temporal stores that the processor has.
void bypass_write(float s, float* c, int64_t count, int threads);
void bypass_copy(const float* a, float* c, int64_t count, int threads);
void bypass_triad(const float* a, const float* b, float s, float* c, int64_t count, int threads);

// Each thread calls memcpy on its share.
void memcpy_copy(const float* a, float* c, int64_t count, int threads);

}  // namespace ridge::bench
