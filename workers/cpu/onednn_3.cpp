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

Built add(const dnnl::engine& engine, const dnnl::memory::desc& desc,
          const dnnl::primitive_attr& attributes) {
  const dnnl::binary::primitive_desc chosen(engine, dnnl::algorithm::binary_add, desc, desc, desc,
                                            attributes);
  return {dnnl::binary(chosen), {}, chosen.scratchpad_desc(), chosen.impl_info_str()};
}

Built convolution(const dnnl::engine& engine, const dnnl::memory::desc& src,
                  const dnnl::memory::desc& weights, const dnnl::memory::desc& dst, float scale,
                  dnnl::primitive_attr attributes) {
  std::vector<std::pair<int, dnnl::memory>> extra;
  if (scale != 1) {
    attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 0);
    const dnnl::memory::desc one({1}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
    dnnl::memory held(one, engine);
    *static_cast<float*>(held.get_data_handle()) = scale;
    extra.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, held);
  }
  const dnnl::memory::dims none = {0, 0}, one = {1, 1};
  const dnnl::convolution_forward::primitive_desc chosen(engine, dnnl::prop_kind::forward_inference,
                                                         dnnl::algorithm::convolution_direct, src,
                                                         weights, dst, one, none, none, attributes);
  return {dnnl::convolution_forward(chosen), chosen.weights_desc(), chosen.scratchpad_desc(),
          chosen.impl_info_str(), extra};
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
