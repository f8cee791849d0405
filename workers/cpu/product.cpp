#include "product.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "onednn.h"

namespace ridge::cpu {
namespace {

using Memory = dnnl::memory;

constexpr int64_t kFewRows = 16;

std::optional<Memory::data_type> onednn_type(DType dtype) {
  switch (dtype) {
    case DType::f32: return Memory::data_type::f32;
    case DType::bf16: return Memory::data_type::bf16;
    case DType::f16: return Memory::data_type::f16;
    case DType::int8: return Memory::data_type::s8;
    case DType::int32: return Memory::data_type::s32;
    default: return std::nullopt;
  }
}

// In oneDNN's own notation: outer dimensions by falling stride (capital where blocked), then the
// blocks: "ab" is row-major, "BA16a64b2a" panels of 64 columns with rows in pairs.
std::string layout_name(const Memory::desc& desc) {
  const onednn::Blocking lie = onednn::blocking(desc);
  if (lie.strides.empty()) return "opaque";
  std::vector<size_t> order(lie.strides.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t x, size_t y) { return lie.strides[x] > lie.strides[y]; });
  std::string text;
  for (const size_t dim : order) {
    const bool blocked =
        std::count(lie.block_dims.begin(), lie.block_dims.end(), static_cast<int64_t>(dim)) > 0;
    text += static_cast<char>((blocked ? 'A' : 'a') + static_cast<char>(dim));
  }
  for (size_t i = 0; i < lie.blocks.size(); ++i) {
    text += fmt::format("{}{}", lie.blocks[i], static_cast<char>('a' + lie.block_dims[i]));
  }
  return text;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  // An environment variable may have allowed bf16 inside f32 products.
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attributes;
}

Product matmul(const dnnl::engine& engine, const Gemm& gemm, Form form, Memory::data_type in,
               Memory::data_type out) {
  Product product;
  product.a = {{gemm.m, gemm.k}, in, Memory::format_tag::ab};
  product.c = {{gemm.m, gemm.n}, out, Memory::format_tag::ab};
  const Memory::dims shape = {gemm.k, gemm.n};
  const bool nt = gemm.layout == Gemm::Layout::nt;
  product.b_plain = {shape, in, nt ? Memory::format_tag::ba : Memory::format_tag::ab};
  const Memory::desc any(shape, in, Memory::format_tag::any);
  auto built = onednn::matmul(engine, product.a, form == Form::packed ? any : product.b_plain,
                              product.c, attributes());
  product.kernel = "matmul " + built.implementation;
  product.primitive = built.primitive;
  product.b = built.weights;
  product.scratchpad = built.scratchpad;
  return product;
}

Product inner_product(const dnnl::engine& engine, const Gemm& gemm, Form form, Memory::data_type in,
                      Memory::data_type out) {
  Product product;
  product.a = {{gemm.m, gemm.k}, in, Memory::format_tag::ab};
  product.c = {{gemm.m, gemm.n}, out, Memory::format_tag::ab};
  const Memory::dims shape = {gemm.n, gemm.k};
  const bool nt = gemm.layout == Gemm::Layout::nt;
  product.b_plain = {shape, in, nt ? Memory::format_tag::ab : Memory::format_tag::ba};
  const Memory::desc any(shape, in, Memory::format_tag::any);
  auto built = onednn::inner_product(
      engine, product.a, form == Form::packed ? any : product.b_plain, product.c, attributes());
  product.kernel = "inner_product " + built.implementation;
  product.primitive = built.primitive;
  product.b = built.weights;
  product.scratchpad = built.scratchpad;
  return product;
}

// oneDNN has two ways to the same product; bench/gemm_direct tries both and shows where this is
// wrong (docs/results/direct.md). Measured on one and two cores of Zen 4 with 2.6.3:
// - Row-major weights: the inner product goes to the library's GEMM and gains 2 to 8 % in f32 and
//   bf16, up to 17 % in int8; not in bf16 while the weights fit in a second-level cache, where
//   matmul is 7 to 9 % ahead. One row takes it half the time of matmul, which copies weights to
//   blocks first. 3.7.2 behaves alike. AMX only matmul uses well.
// - Packed weights: matmul is ahead or within the noise, but for one row (f32, int8) and for a few
//   rows of int8, where the inner product gains 7 %.
bool inner_product_is_faster(const Gemm& gemm, Form form) {
  constexpr int64_t kSecondLevelCache = 1 << 20;
  const bool bf16 = gemm.dtype == DType::bf16, int8 = gemm.dtype == DType::int8;
  if (form == Form::packed) return (gemm.m == 1 && !bf16) || (gemm.m <= kFewRows && int8);
  if (gemm.m == 1) return true;
  if (gemm.layout != Gemm::Layout::nn) return false;
  if (bf16 && gemm.k * gemm.n * bytes_of(gemm.dtype) <= kSecondLevelCache) return false;
  return gemm.dtype == DType::f32 || onednn_isa().find("amx") == std::string::npos;
}

}  // namespace

Result<Product> make_product(const dnnl::engine& engine, const Gemm& gemm, Form form) {
  const auto in = onednn_type(gemm.dtype), out = onednn_type(gemm.output_dtype());
  const std::string what =
      fmt::format("{} product with {} output", name(gemm.dtype), name(gemm.output_dtype()));
  if (!in || !out) return Error{fmt::format("oneDNN has no {} on a CPU", what)};
  using Make =
      Product (*)(const dnnl::engine&, const Gemm&, Form, Memory::data_type, Memory::data_type);
  std::vector<Make> order = {matmul, inner_product};
  if (inner_product_is_faster(gemm, form)) std::swap(order[0], order[1]);
  std::string why;
  std::optional<Product> slow;
  for (const Make make : order) {
    try {
      Product product = make(engine, gemm, form, *in, *out);
      product.reference = product.kernel.find("ref") != std::string::npos;
      product.kernel += ", weights " + layout_name(product.b);
      if (!product.reference) return product;
      if (!slow) slow = std::move(product);
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) why = error.message;
    }
  }
  if (slow) return *std::move(slow);
  if (!why.empty()) return Error{fmt::format("oneDNN {}: {}", onednn_version(), why)};
  return Error{fmt::format("oneDNN {} has no {} for this processor ({})", onednn_version(), what,
                           onednn_isa())};
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string onednn_isa() { return onednn::isa_name(dnnl::get_effective_cpu_isa()); }

}  // namespace ridge::cpu
