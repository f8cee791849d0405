#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/choices.h"
#include "workload/settings.h"
#include "workload/tensor.h"
#include "workload/weights.h"

namespace ridge {

// C[m,n] = A[m,k] · B[k,n]. All tensors row-major; layout "nt" stores B as [n,k], as a linear
// layer's weight. The accumulator is f32 for floating types (f64 for f64), int32 for int8. fp8 is
// e4m3fn without scales. With `weights` B is quantised (workload/weights.h) and stored as [n,k].
struct Gemm {
  enum class Layout { nn, nt };

  DType dtype = DType::f32;          // of A and B
  std::optional<DType> output = {};  // of C; none: see output_dtype()
  Layout layout = Layout::nn;
  std::optional<WeightFormat> weights = {};  // of B; none: the dtype
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;

  static constexpr std::string_view kind = "gemm";
  static constexpr std::string_view about = "matrix product C[m,n] = A[m,k] B[k,n]";

  // The one list of fields: parsing, writing and help follow it.
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("dtype", self.dtype, "element type of A and B");
    visit("output", self.output,
          "element type of C; default: the dtype, int32 for int8, bf16 for fp8");
    visit("layout", self.layout, "nn, or nt where B is stored as [n,k]");
    visit("weights", self.weights,
          "quantised B, in layout nt: q4_g64 or q8_g64 (MLX's: 4 or 8 bits, affine, groups of 64 "
          "along k), or ggml's blocks q8_0, q4_0, q4_k, q6_k, with dtype f32");
    visit("m", self.m, "rows of A and C (tokens)");
    visit("n", self.n, "columns of B and C");
    visit("k", self.k, "length of the reduction");
  }

  DType output_dtype() const {
    return output.value_or(dtype == DType::int8   ? DType::int32
                           : dtype == DType::fp8  ? DType::bf16
                           : dtype == DType::tf32 ? DType::f32
                                                  : dtype);
  }
  bool operator==(const Gemm&) const = default;
};

inline constexpr std::string_view kLayouts[] = {"nn", "nt"};
inline Choices choices(Gemm::Layout) { return {kLayouts, false}; }

Result<void> validate(const Gemm& gemm);
// "gemm/bf16/4096x4096x4096", m x n x k; "gemm/bf16/1x4096x4096/w-q4_g64", whose layout is nt.
std::string work_key(const Gemm& gemm);
std::string operation(const Gemm& gemm);  // its dtype, and its weights: "bf16", "bf16 q4_g64"
Cost cost(const Gemm& gemm, const Settings& settings);
std::vector<TensorSpec> tensors(
    const Gemm& gemm);  // a, b, c; quantised after MLX a, b, b_scale, b_bias, c
// Elements of C to check: all of them where that is cheap or `want` covers them, else a random grid
// of about `want` elements with the four corners.
std::vector<int64_t> elements_to_check(const Gemm& gemm, std::string_view tensor, int64_t want,
                                       TensorKey choice);
std::vector<Expected> expected(const Gemm& gemm, const InputSource& inputs, std::string_view tensor,
                               std::span<const int64_t> elements);

}  // namespace ridge
