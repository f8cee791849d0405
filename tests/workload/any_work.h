#pragma once

#include <rapidcheck.h>

#include "workload/workload.h"

// Random valid work.
namespace workload_test {

inline ridge::Gemm any_gemm(int64_t most = 1 << 14) {
  using namespace ridge;
  Gemm gemm{.dtype = *rc::gen::element(DType::f64, DType::f32, DType::tf32, DType::f16, DType::bf16,
                                       DType::int8, DType::fp8),
            .layout = *rc::gen::element(Gemm::Layout::nn, Gemm::Layout::nt),
            .m = *rc::gen::inRange<int64_t>(1, most),
            .n = *rc::gen::inRange<int64_t>(1, most),
            .k = *rc::gen::inRange<int64_t>(1, most)};
  if (gemm.dtype == DType::int8) {
    if (*rc::gen::arbitrary<bool>()) gemm.output = DType::int32;
  } else if (*rc::gen::arbitrary<bool>()) {
    gemm.output = *rc::gen::element(DType::f32, DType::f16, DType::bf16, DType::f64);
  }
  return gemm;
}

// A product with quantised weights.
inline ridge::Gemm any_quantised_gemm(int64_t most = 1 << 14) {
  using namespace ridge;
  return {.dtype = *rc::gen::element(DType::f32, DType::f16, DType::bf16),
          .layout = Gemm::Layout::nt,
          .weights = *rc::gen::element(WeightFormat::q4_g64, WeightFormat::q8_g64),
          .m = *rc::gen::inRange<int64_t>(1, most),
          .n = *rc::gen::inRange<int64_t>(1, most),
          .k = 64 * *rc::gen::inRange<int64_t>(1, 1 + most / 64)};
}

// A product with ggml's blocks.
inline ridge::Gemm any_ggml_gemm(int64_t most = 1 << 14) {
  using namespace ridge;
  return {.layout = Gemm::Layout::nt,
          .weights = *rc::gen::element(WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_k,
                                       WeightFormat::q6_k),
          .m = *rc::gen::inRange<int64_t>(1, most),
          .n = *rc::gen::inRange<int64_t>(1, most),
          .k = 256 * *rc::gen::inRange<int64_t>(1, 1 + most / 256)};
}

inline ridge::Stream any_stream(int64_t most_blocks = 1 << 20) {
  using namespace ridge;
  Stream stream{.op = *rc::gen::element(Stream::Op::read, Stream::Op::write, Stream::Op::copy,
                                        Stream::Op::triad),
                .bytes = 256 * *rc::gen::inRange<int64_t>(1, most_blocks)};
  stream.nontemporal = stream.op != Stream::Op::read && *rc::gen::arbitrary<bool>();
  return stream;
}

inline ridge::Attention any_attention(int64_t most_heads = 64, int64_t most_seq = 1 << 14) {
  using namespace ridge;
  using Mask = Attention::Mask;
  const int64_t kv_heads = *rc::gen::inRange<int64_t>(1, most_heads),
                seq_kv = *rc::gen::inRange<int64_t>(1, most_seq);
  Attention a{.dtype = *rc::gen::element(DType::f32, DType::tf32, DType::bf16, DType::f16),
              .batch = *rc::gen::inRange<int64_t>(1, 4),
              .heads = kv_heads * *rc::gen::inRange<int64_t>(1, 5),
              .kv_heads = kv_heads,
              .seq_kv = seq_kv,
              .head_dim = *rc::gen::inRange<int64_t>(1, 160),
              .mask = *rc::gen::element(Mask::none, Mask::causal, Mask::window),
              .pass = *rc::gen::element(Attention::Pass::fwd, Attention::Pass::bwd)};
  a.seq_q = *rc::gen::inRange<int64_t>(1, a.mask == Mask::none ? most_seq : seq_kv + 1);
  if (a.mask == Mask::window) a.window = *rc::gen::inRange<int64_t>(1, 2 * seq_kv);
  return a;
}

inline ridge::Workload any_probe() {
  using namespace ridge;
  const auto bytes = *rc::gen::inRange<int64_t>(4, 1 << 16) * 256;
  switch (*rc::gen::inRange(0, 6)) {
    case 0: return WorkingSet{WorkingSet::Op::read, bytes};
    case 1:
      return WorkingSet{WorkingSet::Op::chase,
                        *rc::gen::element(4, 5, 6, 7) * int64_t{256} << *rc::gen::inRange(0, 16)};
    case 2:
      return ConvStack{*rc::gen::element(DType::f32, DType::bf16, DType::f16, DType::int8),
                       *rc::gen::inRange<int64_t>(1, 4096), *rc::gen::inRange<int64_t>(1, 1 << 16),
                       *rc::gen::inRange<int64_t>(1, 200)};
    case 3: return Dispatch{*rc::gen::inRange<int64_t>(1, 1 << 16)};
    case 4: return Load{bytes * 16};
    default: return Sustained{any_gemm(), *rc::gen::inRange<int64_t>(2, 86'400)};
  }
}

inline ridge::Workload any_work() {
  switch (*rc::gen::inRange(0, 6)) {
    case 0: return any_gemm();
    case 5: return any_ggml_gemm();
    case 3: return any_quantised_gemm();
    case 1: return any_stream();
    case 2: return any_attention();
    default: return any_probe();
  }
}

}  // namespace workload_test
