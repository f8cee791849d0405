#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <string>
#include <utility>
#include <vector>

// What differs between oneDNN 2 and 3: onednn_2.cpp or onednn_3.cpp is compiled.
namespace ridge::cpu::onednn {

// A primitive with the memory that it wants. Descriptors of `any` layout have been decided.
struct Built {
  dnnl::primitive primitive;
  dnnl::memory::desc weights, scratchpad;
  std::string implementation;  // "brg:avx512_core_bf16"
  // Arguments that the primitive takes beside its tensors: scales.
  std::vector<std::pair<int, dnnl::memory>> extra = {};
};

// These throw dnnl::error (status unimplemented) where the library has no such primitive here.
// dst[m,n] = src[m,k] · weights[k,n]
Built matmul(const dnnl::engine& engine, const dnnl::memory::desc& src,
             const dnnl::memory::desc& weights, const dnnl::memory::desc& dst,
             const dnnl::primitive_attr& attributes);
// dst[m,n] = src[m,k] · weights[n,k]ᵀ
Built inner_product(const dnnl::engine& engine, const dnnl::memory::desc& src,
                    const dnnl::memory::desc& weights, const dnnl::memory::desc& dst,
                    const dnnl::primitive_attr& attributes);

// dst = src0 + src1, element by element; all of one description.
Built add(const dnnl::engine& engine, const dnnl::memory::desc& desc,
          const dnnl::primitive_attr& attributes);
// A convolution without bias, padding or stride; int8 sums are multiplied by `scale` (others: 1).
Built convolution(const dnnl::engine& engine, const dnnl::memory::desc& src,
                  const dnnl::memory::desc& weights, const dnnl::memory::desc& dst, float scale,
                  dnnl::primitive_attr attributes);

// How elements lie: outer strides by dimension, then blocks within, outermost first.
struct Blocking {
  std::vector<int64_t> strides;
  std::vector<int64_t> blocks;
  std::vector<int64_t> block_dims;
};
Blocking blocking(const dnnl::memory::desc& desc);

std::string isa_name(dnnl::cpu_isa isa);  // "avx512_core_bf16"

}  // namespace ridge::cpu::onednn
