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

}  // namespace ridge::cpu::onednn
