// The tolerance of attention lets every honest way to compute it pass, and no wrong one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "attention_paths.h"

namespace {

using namespace attention_paths;
using Mask = Attention::Mask;

struct Found {
  double worst = 0;  // |error| / tolerance of all elements of all outputs
  int64_t wrong = 0, all = 0;
};

Found errors(const Attention& a, const Path& path, int seeds) {
  Found found;
  for (int seed = 0; seed < seeds; ++seed) {
    const InputSource inputs{.seed = static_cast<uint64_t>(seed), .salt = 3, .copy = 0};
    const Answers answers = Calculator(a, inputs, path).all();
    for (const TensorSpec& spec : tensors(a)) {
      if (spec.role != TensorSpec::Role::output) continue;
      const auto elements =
          elements_to_check(a, spec.name, 256, tensor_key(inputs.seed, 1, 2, "elements"));
      const auto truth = expected(a, inputs, spec.name, elements);
      for (size_t i = 0; i < elements.size(); ++i) {
        const auto value =
            static_cast<double>(answers[spec.name][static_cast<size_t>(elements[i])]);
        const double scaled = std::fabs(value - truth[i].value) / truth[i].tolerance;
        if (truth[i].tolerance == 0 && value == truth[i].value) continue;
        found.worst = std::max(found.worst, scaled);
        found.wrong += !(scaled <= 1);
        ++found.all;
      }
    }
  }
  return found;
}

std::vector<Attention> shapes(DType dtype) {
  const auto shape = [&](int64_t heads, int64_t kv, int64_t q, int64_t keys, int64_t d, Mask mask) {
    Attention a{.dtype = dtype,
                .heads = heads,
                .kv_heads = kv,
                .seq_q = q,
                .seq_kv = keys,
                .head_dim = d,
                .mask = mask};
    if (mask == Mask::window) a.window = 20;
    return a;
  };
  return {shape(2, 1, 33, 33, 64, Mask::causal),  shape(4, 2, 17, 65, 80, Mask::causal),
          shape(2, 2, 48, 48, 128, Mask::none),   shape(4, 2, 40, 64, 32, Mask::window),
          shape(8, 2, 1, 300, 64, Mask::causal),  shape(2, 1, 5, 3, 8, Mask::none),
          shape(1, 1, 300, 300, 16, Mask::causal)};
}

constexpr DType kDTypes[] = {DType::f32, DType::tf32, DType::bf16, DType::f16};
constexpr Attention::Pass kBoth[] = {Attention::Pass::fwd, Attention::Pass::bwd};

TEST(AttentionTolerance, EveryHonestWayPassesWithMargin) {
  const std::pair<const char*, Path> ways[] = {
      {"scores stored in the dtype", {}},
      {"scores in f32", {.round_scores = false}},
      {"heads rounded before they are added", {.heads_apart = true}},
      {"online, blocks of 16", {.block = 16}},
      {"online, blocks of 64", {.block = 64}},
  };
  for (const DType dtype : kDTypes) {
    for (const auto& [title, path] : ways) {
      for (const auto pass : kBoth) {
        double worst = 0;
        for (Attention a : shapes(dtype)) {
          a.pass = pass;
          const Found found = errors(a, path, 2);
          worst = std::max(worst, found.worst);
          EXPECT_LT(found.worst, 0.6) << title << ", " << work_key(a);
        }
        std::printf("[ ratio    ] %-5s %s %-36s %.3f\n", std::string(name(dtype)).c_str(),
                    pass == Attention::Pass::fwd ? "fwd" : "bwd", title, worst);
      }
    }
  }
}

// A wrong f32 answer tells which products it was made with: it fits that precision best.
TEST(AttentionTolerance, LowerPrecisionIsTold) {
  const InputSource inputs{.seed = 8, .salt = 3, .copy = 0};
  for (Attention a : shapes(DType::f32)) {
    for (const auto pass : kBoth) {
      a.pass = pass;
      for (const DType lower : {DType::tf32, DType::bf16}) {
        const Fault fault = lower == DType::tf32 ? Fault::low_products : Fault::bf16_products;
        const Answers answers = Calculator(a, inputs, {.block = 16, .fault = fault}).all();
        const std::string_view tensor = pass == Attention::Pass::fwd ? "o" : "grad_k";
        const auto elements = elements_to_check(a, tensor, 256, tensor_key(1, 1, 2, "elements"));
        double squares[2] = {};
        for (const DType dtype : {DType::tf32, DType::bf16}) {
          const auto truth = expected(*with_dtype(a, dtype), inputs, tensor, elements);
          for (size_t i = 0; i < elements.size(); ++i) {
            const double error =
                static_cast<double>(answers[tensor][static_cast<size_t>(elements[i])]) -
                truth[i].value;
            squares[dtype == DType::bf16] += error * error;
            if (dtype == lower) {
              EXPECT_LE(std::fabs(error), truth[i].tolerance) << work_key(a);
            }
          }
        }
        EXPECT_LT(squares[lower == DType::bf16], squares[lower != DType::bf16]) << work_key(a);
      }
    }
  }
}

// Sums over many queries and keys, in order and in f32: the walk of their roundings counts.
TEST(AttentionTolerance, LongSumsPass) {
  for (const Mask mask : {Mask::none, Mask::causal}) {
    for (const auto pass : kBoth) {
      const Attention a{.heads = 1,
                        .kv_heads = 1,
                        .seq_q = 1500,
                        .seq_kv = 1500,
                        .head_dim = 8,
                        .mask = mask,
                        .pass = pass};
      for (const int block : {0, 64}) {
        const Found found = errors(a, {.block = block}, 1);
        EXPECT_LT(found.worst, 0.6) << work_key(a);
        std::printf("[ ratio    ] %s %.3f\n", work_key(a).c_str(), found.worst);
      }
    }
  }
}

TEST(AttentionTolerance, WrongWaysFail) {
  const std::pair<const char*, Fault> faults[] = {
      {"mask off by one key", Fault::mask_off_by_one},
      {"mask aligned to the start", Fault::aligned_to_start},
      {"wrong key head", Fault::wrong_head},
      {"scale forgotten", Fault::no_scale},
      {"products of fewer bits", Fault::low_products},
      {"bf16 products", Fault::bf16_products},
      {"grad_v left out", Fault::no_grad},
      {"last keys left out", Fault::last_block},
  };
  for (const DType dtype : kDTypes) {
    for (const auto& [title, fault] : faults) {
      // Between f16 and bf16 lies less than what roundings of scores alone may do.
      if (fault == Fault::low_products && dtype != DType::f32) continue;
      if (fault == Fault::bf16_products && dtype != DType::f32) continue;
      for (const auto pass : kBoth) {
        if (fault == Fault::no_grad && pass == Attention::Pass::fwd) continue;
        double least = INFINITY;
        for (Attention a : shapes(dtype)) {
          a.pass = pass;
          const bool none = a.mask == Mask::none;
          if (fault == Fault::mask_off_by_one && none) continue;
          if (fault == Fault::aligned_to_start && (none || a.seq_q == a.seq_kv)) continue;
          if (fault == Fault::wrong_head && (a.kv_heads == 1 || a.group() == 1)) continue;
          const int block = pass == Attention::Pass::fwd ? 16 : 0;
          const Found found = errors(a, {.block = block, .fault = fault}, 1);
          least = std::min(least, found.worst);
          EXPECT_GT(found.worst, 2) << title << ", " << work_key(a);
        }
        std::printf("[ ratio    ] %-5s %s %-36s at least %.3g\n", std::string(name(dtype)).c_str(),
                    pass == Attention::Pass::fwd ? "fwd" : "bwd", title, least);
      }
    }
  }
}

}  // namespace
