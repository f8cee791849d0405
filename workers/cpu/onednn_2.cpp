#include "onednn.h"

// oneDNN 2: an operation descriptor stands between the memory descriptors and the primitive's.
namespace ridge::cpu::onednn {

Built matmul(const dnnl::engine& engine, const dnnl::memory::desc& src,
             const dnnl::memory::desc& weights, const dnnl::memory::desc& dst,
             const dnnl::primitive_attr& attributes) {
  const dnnl::matmul::primitive_desc chosen({src, weights, dst}, attributes, engine);
  return {dnnl::matmul(chosen), chosen.weights_desc(), chosen.scratchpad_desc(),
          chosen.impl_info_str()};
}

Built inner_product(const dnnl::engine& engine, const dnnl::memory::desc& src,
                    const dnnl::memory::desc& weights, const dnnl::memory::desc& dst,
                    const dnnl::primitive_attr& attributes) {
  const dnnl::inner_product_forward::primitive_desc chosen(
      {dnnl::prop_kind::forward_inference, src, weights, dst}, attributes, engine);
  return {dnnl::inner_product_forward(chosen), chosen.weights_desc(), chosen.scratchpad_desc(),
          chosen.impl_info_str()};
}

Built add(const dnnl::engine& engine, const dnnl::memory::desc& desc,
          const dnnl::primitive_attr& attributes) {
  const dnnl::binary::primitive_desc chosen({dnnl::algorithm::binary_add, desc, desc, desc},
                                            attributes, engine);
  return {dnnl::binary(chosen), {}, chosen.scratchpad_desc(), chosen.impl_info_str()};
}

Built convolution(const dnnl::engine& engine, const dnnl::memory::desc& src,
                  const dnnl::memory::desc& weights, const dnnl::memory::desc& dst, float scale,
                  dnnl::primitive_attr attributes) {
  if (scale != 1) attributes.set_output_scales(0, {scale});
  const dnnl::memory::dims none = {0, 0}, one = {1, 1};
  const dnnl::convolution_forward::primitive_desc chosen(
      {dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src, weights, dst,
       one, none, none},
      attributes, engine);
  return {dnnl::convolution_forward(chosen), chosen.weights_desc(), chosen.scratchpad_desc(),
          chosen.impl_info_str()};
}

Blocking blocking(const dnnl::memory::desc& desc) {
  Blocking found;
  if (desc.data.format_kind != dnnl_blocked) return found;
  const dnnl_blocking_desc_t& inner = desc.data.format_desc.blocking;
  found.strides.assign(inner.strides, inner.strides + desc.data.ndims);
  found.blocks.assign(inner.inner_blks, inner.inner_blks + inner.inner_nblks);
  found.block_dims.assign(inner.inner_idxs, inner.inner_idxs + inner.inner_nblks);
  return found;
}

std::string isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41: return "sse41";
    case dnnl::cpu_isa::avx: return "avx";
    case dnnl::cpu_isa::avx2: return "avx2";
    case dnnl::cpu_isa::avx2_vnni: return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx: return "avx512_core_amx";
    default: return "isa " + std::to_string(static_cast<int>(isa));
  }
}

}  // namespace ridge::cpu::onednn
