#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "workload/workload.h"

// Ways in which a library may compute attention, in f32 arithmetic with roundings to the dtype
// where a library may have them; and ways to get it wrong.
namespace attention_paths {

using namespace ridge;
using Array = std::vector<float>;

enum class Fault {
  none,
  mask_off_by_one,   // each query sees one key less, or one more where it sees but one
  aligned_to_start,  // the mask's diagonal begins at the first key
  wrong_head,        // query head h reads key head h % kv_heads
  no_scale,
  low_products,  // operands of all products cut to 10 bits (f32) or 7 (f16): TF32, bf16
  bf16_products,
  no_grad,     // grad_v stays zero
  last_block,  // the last keys are never reached
};

struct Path {
  int block = 0;             // keys taken at once by an online softmax; 0: unfused
  bool round_scores = true;  // unfused: scores and their gradients are stored in the dtype
  bool heads_apart = false;  // gradients of keys are rounded before query heads are added up
  Fault fault = Fault::none;
};

inline float cut(float value, int bits) {  // to so many bits of mantissa, to nearest even
  const int drop = 23 - bits;
  auto raw = std::bit_cast<uint32_t>(value);
  raw += (1u << (drop - 1)) - 1 + ((raw >> drop) & 1u);
  return std::bit_cast<float>(raw >> drop << drop);
}

inline float round_to(DType dtype, float value) {
  if (dtype == DType::bf16) return from_bf16(to_bf16(value));
  if (dtype == DType::f16) return from_f16(to_f16(value));
  return value;
}

struct Answers {
  Array o, grad_q, grad_k, grad_v;
  const Array& operator[](std::string_view name) const {
    return name == "o" ? o : name == "grad_q" ? grad_q : name == "grad_k" ? grad_k : grad_v;
  }
};

inline Array input(const Attention& a, const InputSource& inputs, std::string_view name) {
  for (const TensorSpec& spec : tensors(a)) {
    if (spec.name != name) continue;
    std::vector<std::byte> raw(static_cast<size_t>(spec.bytes()));
    fill(inputs.key(name), spec.dtype, spec.scale, 0, spec.elements(), raw.data());
    Array out(static_cast<size_t>(spec.elements()));
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(load(spec.dtype, raw.data(), static_cast<int64_t>(i)));
    }
    return out;
  }
  return {};
}

class Calculator {
 public:
  Calculator(const Attention& a, const InputSource& inputs, const Path& path)
      : a_(a),
        path_(path),
        q_(input(a, inputs, "q")),
        k_(input(a, inputs, "k")),
        v_(input(a, inputs, "v")),
        g_(input(a, inputs, "grad_o")),
        d_(static_cast<size_t>(a.head_dim)) {}

  Answers all() {
    Answers out;
    out.o.resize(q_.size());
    if (a_.pass == Attention::Pass::bwd) {
      out.grad_q.resize(q_.size());
      out.grad_k.resize(k_.size());
      out.grad_v.resize(v_.size());
    }
    for (int64_t b = 0; b < a_.batch; ++b) {
      for (int64_t h = 0; h < a_.heads; ++h) head(b, h, out);
    }
    for (Array* array : {&out.o, &out.grad_q, &out.grad_k, &out.grad_v}) {
      for (float& value : *array) value = stored(value);
    }
    if (path_.fault == Fault::no_grad) std::fill(out.grad_v.begin(), out.grad_v.end(), 0.0f);
    return out;
  }

 private:
  float stored(float value) const { return round_to(a_.dtype, value); }
  float operand(float value) const {  // of a product
    const bool low = path_.fault == Fault::low_products;
    if (path_.fault == Fault::bf16_products || (low && a_.dtype == DType::f16)) {
      return cut(value, 7);
    }
    return low || a_.dtype == DType::tf32 ? cut(value, 10) : stored(value);
  }
  float dot(const float* x, const float* y) const {
    float sum = 0;
    for (size_t i = 0; i < d_; ++i) sum += operand(x[i]) * operand(y[i]);
    return sum;
  }
  std::pair<int64_t, int64_t> keys_of(int64_t i) const {
    int64_t first = a_.first_key(i), last = a_.last_key(i);
    if (a_.mask == Attention::Mask::none) {
      if (path_.fault == Fault::last_block) last = std::max<int64_t>(1, last - 8);
      return {first, last};
    }
    if (path_.fault == Fault::mask_off_by_one) last > first + 1 ? --last : ++last;
    if (path_.fault == Fault::last_block) last = std::max(first + 1, last - 8);
    if (path_.fault == Fault::aligned_to_start) {
      const int64_t shift = a_.seq_kv - a_.seq_q;
      last -= shift;
      first = std::max<int64_t>(0, first - shift);
    }
    return {first, std::min(last, a_.seq_kv)};
  }

  void head(int64_t b, int64_t h, Answers& out) {
    const int64_t kv = path_.fault == Fault::wrong_head ? h % a_.kv_heads : h / a_.group();
    const size_t keys = static_cast<size_t>((b * a_.kv_heads + kv) * a_.seq_kv) * d_;
    const float scale =
        path_.fault == Fault::no_scale ? 1.0f : 1 / std::sqrt(static_cast<float>(a_.head_dim));
    const bool backward = a_.pass == Attention::Pass::bwd;
    Array of_k(backward ? static_cast<size_t>(a_.seq_kv) * d_ : 0), of_v = of_k;
    for (int64_t i = 0; i < a_.seq_q; ++i) {
      const size_t row = static_cast<size_t>((b * a_.heads + h) * a_.seq_q + i) * d_;
      const auto [first, last] = keys_of(i);
      const size_t begin = keys + static_cast<size_t>(first) * d_;
      Array s;
      for (int64_t j = first; j < last; ++j) s.push_back(dot(&q_[row], at(k_, keys, j)) * scale);
      float highest = 0, total = 0;
      Array o(d_);
      path_.block > 0 ? online(s, &v_[begin], o, highest, total)
                      : unfused(s, &v_[begin], o, highest, total);
      for (size_t c = 0; c < d_; ++c) out.o[row + c] = o[c];
      if (!backward) continue;
      float delta = 0;
      for (size_t c = 0; c < d_; ++c) delta += g_[row + c] * stored(o[c]);
      Array grad_q(d_);
      for (int64_t j = first; j < last; ++j) {
        const float p = path_.block > 0 || !path_.round_scores
                            ? std::exp(s[static_cast<size_t>(j - first)] - highest) / total
                            : stored(std::exp(s[static_cast<size_t>(j - first)] - highest) / total);
        float dp = dot(&g_[row], at(v_, keys, j));
        if (path_.block == 0 && path_.round_scores) dp = stored(dp);
        const float ds = stored(p * (dp - delta));
        const auto local = static_cast<size_t>(j) * d_;
        for (size_t c = 0; c < d_; ++c) {
          grad_q[c] += operand(ds) * operand(at(k_, keys, j)[c]);
          of_k[local + c] += operand(ds) * operand(q_[row + c]);
          of_v[local + c] += operand(p) * operand(g_[row + c]);
        }
      }
      for (size_t c = 0; c < d_; ++c) out.grad_q[row + c] = scale * grad_q[c];
    }
    for (size_t i = 0; i < of_k.size(); ++i) {
      const float k = scale * of_k[i], v = of_v[i];
      out.grad_k[keys + i] += path_.heads_apart ? stored(k) : k;
      out.grad_v[keys + i] += path_.heads_apart ? stored(v) : v;
    }
  }

  const float* at(const Array& array, size_t base, int64_t row) const {
    return &array[base + static_cast<size_t>(row) * d_];
  }

  void unfused(Array& s, const float* v, Array& o, float& highest, float& total) const {
    if (path_.round_scores) {
      for (float& score : s) score = stored(score);
    }
    highest = *std::max_element(s.begin(), s.end());
    for (const float score : s) total += std::exp(score - highest);
    for (size_t n = 0; n < s.size(); ++n) {
      const float p = operand(std::exp(s[n] - highest) / total);
      for (size_t c = 0; c < d_; ++c) o[c] += p * operand(v[n * d_ + c]);
    }
  }

  void online(const Array& s, const float* v, Array& o, float& highest, float& total) const {
    const auto block = static_cast<size_t>(path_.block);
    highest = -INFINITY;
    for (size_t from = 0; from < s.size(); from += block) {
      const size_t to = std::min(s.size(), from + block);
      const float higher =
          std::max(highest, *std::max_element(s.begin() + static_cast<ptrdiff_t>(from),
                                              s.begin() + static_cast<ptrdiff_t>(to)));
      const float shrink = std::exp(highest - higher);
      highest = higher;
      total *= shrink;
      for (float& value : o) value *= shrink;
      for (size_t n = from; n < to; ++n) {
        const float p = std::exp(s[n] - highest);
        total += p;
        for (size_t c = 0; c < d_; ++c) o[c] += operand(p) * operand(v[n * d_ + c]);
      }
    }
    for (float& value : o) value /= total;
  }

  Attention a_;
  Path path_;
  Array q_, k_, v_, g_;
  size_t d_;
};

}  // namespace attention_paths
