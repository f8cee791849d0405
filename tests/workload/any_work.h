#pragma once

#include <rapidcheck.h>

#include "workload/workload.h"

// Random valid work.
namespace workload_test {

inline ridge::Gemm any_gemm(int64_t most = 1 << 14) {
  using namespace ridge;
  Gemm gemm{.dtype = *rc::gen::element(DType::f64, DType::f32, DType::tf32, DType::f16, DType::bf16,
                                       DType::int8),
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

inline ridge::Stream any_stream(int64_t most_blocks = 1 << 20) {
  using namespace ridge;
  Stream stream{.op = *rc::gen::element(Stream::Op::read, Stream::Op::write, Stream::Op::copy,
                                        Stream::Op::triad),
                .bytes = 256 * *rc::gen::inRange<int64_t>(1, most_blocks)};
  stream.nontemporal = stream.op != Stream::Op::read && *rc::gen::arbitrary<bool>();
  return stream;
}

inline ridge::Workload any_work() {
  if (*rc::gen::arbitrary<bool>()) return any_gemm();
  return any_stream();
}

}  // namespace workload_test
