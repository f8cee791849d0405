#pragma once

#include <cstdint>
#include <string>

// Loops over f32 arrays on one thread, written once and compiled for every vector extension; the
// best one that this processor has is called. Arrays are aligned to 64 bytes and do not overlap;
// `count` is a multiple of 64 elements. `bypass`: stores that go around the caches, and are done
// (fenced) on return.
namespace ridge::cpu {

// sums[j] = the sum of elements [j·8192, (j+1)·8192) of a; the last chunk may be short.
void stream_read(const float* a, int64_t count, float* sums);
void stream_write(float s, float* c, int64_t count, bool bypass);
void stream_copy(const float* a, float* c, int64_t count, bool bypass);
void stream_triad(const float* a, const float* b, float s, float* c, int64_t count, bool bypass);

std::string highway_version();
std::string highway_target();     // "AVX3_ZEN4": what the calls above run on
bool drop_best_highway_target();  // for a processor that lied; false: none is left to drop

}  // namespace ridge::cpu
