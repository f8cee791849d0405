#include "onednn.h"

// oneDNN 3: primitive descriptors are made from memory descriptors directly.
namespace ridge::cpu::onednn {

Built matmul(const dnnl::engine& engine, const dnnl::memory::desc& src,
             const dnnl::memory::desc& weights, const dnnl::memory::desc& dst,
             const dnnl::primitive_attr& attributes) {
  const dnnl::matmul::primitive_desc chosen(engine, src, weights, dst, attributes);
  return {dnnl::matmul(chosen), chosen.weights_desc(), chosen.scratchpad_desc(),
          chosen.impl_info_str()};
}

Built inner_product(const dnnl::engine& engine, const dnnl::memory::desc& src,
                    const dnnl::memory::desc& weights, const dnnl::memory::desc& dst,
                    const dnnl::primitive_attr& attributes) {
  const dnnl::inner_product_forward::primitive_desc chosen(
      engine, dnnl::prop_kind::forward_inference, src, weights, dst, attributes);
  return {dnnl::inner_product_forward(chosen), chosen.weights_desc(), chosen.scratchpad_desc(),
          chosen.impl_info_str()};
}

Blocking blocking(const dnnl::memory::desc& desc) {
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked) return {};
  return {desc.get_strides(), desc.get_inner_blks(), desc.get_inner_idxs()};
}

std::string isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41: return "sse41";
    case dnnl::cpu_isa::avx: return "avx";
    case dnnl::cpu_isa::avx2: return "avx2";
    case dnnl::cpu_isa::avx2_vnni: return "avx2_vnni";
    case dnnl::cpu_isa::avx2_vnni_2: return "avx2_vnni_2";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_fp16: return "avx512_core_fp16";
    case dnnl::cpu_isa::avx512_core_amx: return "avx512_core_amx";
    case dnnl::cpu_isa::avx512_core_amx_fp16: return "avx512_core_amx_fp16";
    default: return "isa " + std::to_string(static_cast<int>(isa));
  }
}

}  // namespace ridge::cpu::onednn
