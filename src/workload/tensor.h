#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/random.h"
#include "base/units.h"
#include "workload/ggml_blocks.h"

namespace ridge {

// One tensor of a workload, row-major. Inputs hold random_element(key, dtype, scale, index); or
// random blocks of ggml, then the elements are their bytes (int8).
struct TensorSpec {
  enum class Role { input, weight, output };  // a weight is an input that Form::packed may re-lay

  std::string name;
  Role role = Role::input;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  double scale = 1.0;
  std::optional<BlockFormat> blocks = {};

  int64_t elements() const {
    int64_t product = 1;
    for (const int64_t extent : shape) product *= extent;
    return product;
  }
  int64_t bytes() const { return elements() * bytes_of(dtype); }
  int64_t unit_bytes() const { return blocks ? block_bytes(*blocks) : bytes_of(dtype); }
  int64_t units() const { return bytes() / unit_bytes(); }
};

// Writes units [first, first + count) of an input, its elements or its blocks, to `out`.
inline void fill(const TensorSpec& spec, TensorKey key, int64_t first, int64_t count, void* out) {
  if (spec.blocks) return fill_blocks(*spec.blocks, key, spec.scale, first, count, out);
  fill(key, spec.dtype, spec.scale, first, count, out);
}

// Which random numbers stand in the inputs: every time request has its own salt, every rotated copy
// its own number.
struct InputSource {
  uint64_t seed = 0;
  uint64_t salt = 0;
  int64_t copy = 0;

  TensorKey key(std::string_view tensor) const {
    return tensor_key(seed, salt, static_cast<uint64_t>(copy), tensor);
  }
};

// An output element as float64 arithmetic gives it, and the absolute error allowed: it follows from
// the dtype and the length of the reduction, and is 0 where integer arithmetic is exact.
struct Expected {
  double value = 0;
  double tolerance = 0;
};

// What a workload costs when it is run once. Bytes are the least that must move: each tensor once.
struct Cost {
  double model_flops = 0;     // what the mathematics needs; a multiply-add is 2
  double executed_flops = 0;  // what the chosen form does
  double bytes_read = 0;
  double bytes_written = 0;
  double bytes_write_allocate = 0;  // read only because a cache line is filled before it is written
  double count = 0;                 // tokens, accesses or calls, where the rate counts those
  double footprint = 0;             // bytes of all tensors
  RateUnit rate_unit = RateUnit::flop_per_s;

  double rate_work() const {  // what a rate divides by the time
    switch (rate_unit) {
      case RateUnit::flop_per_s: return model_flops;
      case RateUnit::byte_per_s: return bytes_read + bytes_written;
      case RateUnit::token_per_s:
      case RateUnit::access_per_s:
      case RateUnit::call_per_s: return count;
      case RateUnit::none: break;
    }
    return 0;
  }
};

}  // namespace ridge
