#include <fmt/format.h>

#include "graph.h"

namespace ridge::llamacpp {
namespace {

// On CUDA cuBLAS adds products of f16 up in f16 (GGML_PREC_F32 would turn all into f32 first, and
// cuBLAS that into tf32); up to these rows a kernel of ggml's own does it.
constexpr int64_t kMostRowsOfOwnKernel = 8;  // MMVF_MAX_BATCH_SIZE of ggml-cuda/mmvf.cuh

// What the product makes of activations: it rounds them to 8 bits, in blocks of a scale each.
const char* activations_of(BlockFormat weights, const Place& place) {
  if (place.on_cuda) return "8 bits in blocks of 32 (q8_1), or to f16 for cuBLAS";
  if (!place.on_cpu) return "what its kernels take";
  const bool large = weights == BlockFormat::q4_k || weights == BlockFormat::q6_k;
  return large ? "8 bits in blocks of 256 (q8_K)" : "8 bits in blocks of 32 (q8_0)";
}

Result<void> has_dtype(const Gemm& gemm, const Place& place) {
  const DType dtype = gemm.dtype;
  if (gemm.weights) return {};  // the kind allows f32 alone
  if (dtype == DType::tf32 && place.on_cuda) return {};
  if (dtype == DType::tf32) return Error{"tf32 products are CUDA's: here f32 is true f32"};
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) {
    return Error{fmt::format("ggml has no {} product", name(dtype))};
  }
  if (dtype == DType::f32 && place.on_cuda) {
    return Error{"ggml has cuBLAS compute f32 products in TF32: ask for dtype tf32"};
  }
  if (dtype == DType::f16 && place.on_cuda && gemm.m > kMostRowsOfOwnKernel) {
    return Error{"ggml has cuBLAS add products of f16 up in f16: no sum that long comes out right"};
  }
  return {};
}

}  // namespace

Result<Plan> plan_gemm(const Gemm& gemm, const Settings& settings, const Place& place,
                       const Engine& engine) {
  const BlockFormat block =
      gemm.weights ? ggml_format(*gemm.weights).value_or(BlockFormat::f32) : BlockFormat::f32;
  const bool blocks = block != BlockFormat::f32;
  if (gemm.weights && !blocks) {
    return Error{fmt::format("{} weights are MLX's: ggml has q8_0, q4_0, q4_k and q6_k",
                             name(*gemm.weights))};
  }
  if (auto yes = has_dtype(gemm, place); !yes) return yes.error();
  if (gemm.layout != Gemm::Layout::nt) {
    return Error{"ggml takes weights as [n,k]: ask for layout nt"};
  }
  if (gemm.output_dtype() != DType::f32 &&
      gemm.output_dtype() != Gemm{.dtype = gemm.dtype}.output_dtype()) {
    return Error{fmt::format("ggml's products are f32, not {}", name(gemm.output_dtype()))};
  }
  // BlockFormat has ggml's numbers.
  const ggml_type weights = blocks ? static_cast<ggml_type>(block) : type_of(gemm.dtype);
  Plan plan{.kernel = fmt::format("mul_mat {} x f32", ggml_type_name(weights))};
  if (blocks) {
    plan.notes.push_back(fmt::format("the product rounds A to {}", activations_of(block, place)));
  } else if (weights != GGML_TYPE_F32) {
    plan.notes.push_back(
        fmt::format("A and C are f32 in memory, as activations are in ggml; the product rounds A "
                    "to {}",
                    ggml_type_name(weights)));
  }
  plan.build = [gemm, weights, own = place.on_cuda && gemm.dtype == DType::f16] {
    Graph graph{.context = new_context(3, 1, 4)};
    ggml_context* context = graph.context.get();
    const std::vector<TensorSpec> specs = tensors(gemm);
    ggml_tensor* a = ggml_new_tensor_2d(context, GGML_TYPE_F32, gemm.k, gemm.m);
    ggml_tensor* b = ggml_new_tensor_2d(context, weights, gemm.k, gemm.n);
    ggml_tensor* c = ggml_mul_mat(context, b, a);
    if (own) ggml_mul_mat_set_prec(c, GGML_PREC_F32);
    graph.weights = b;
    graph.inputs = {{specs[0], a}, {specs[1], b}};
    graph.outputs = {{specs[2], c}};
    graph.steps = {graph_to(context, c)};
    return graph;
  };
  if (settings.form == Form::packed) {
    if (!place.on_cpu) return Error{"packed: ggml lays weights out anew for processors alone"};
    for (ggml_backend_buffer_type_t buffer : engine.packed_buffers()) {
      plan.packed = buffer;
      if (!has_kernels(plan, place)) continue;
      plan.kernel += fmt::format(" in {}", ggml_backend_buft_name(buffer));
      return plan;
    }
    return Error{fmt::format("packed: ggml lays no {} weights out anew on this processor",
                             ggml_type_name(weights))};
  }
  return plan;
}

}  // namespace ridge::llamacpp
