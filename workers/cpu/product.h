#pragma once

#include <dnnl.hpp>
#include <string>

#include "base/result.h"
#include "workload/workload.h"

namespace ridge::cpu {

// A matrix product as oneDNN does it for a Gemm in a form, on as many threads as OpenMP gives at
// this moment. All copies of the operands share it.
struct Product {
  dnnl::primitive primitive;
  dnnl::memory::desc a, b, c;     // as the primitive takes them
  dnnl::memory::desc b_plain;     // as the workload stores it; equal to b in the plain form
  dnnl::memory::desc scratchpad;  // the caller's to provide
  std::string kernel;             // "matmul brg:avx512_core, weights BA16a64b"
  bool reference = false;         // a correct but slow fall-back
};

// The product, or why there is none: one line for a person.
Result<Product> make_product(const dnnl::engine& engine, const Gemm& gemm, Form form);

std::string onednn_version();  // of the library loaded: "2.6.3"
std::string onednn_isa();      // what it generates code for: "avx512_core_bf16"

}  // namespace ridge::cpu
