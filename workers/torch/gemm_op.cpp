#include <ATen/ops/_int_mm.h>
#include <ATen/ops/_scaled_mm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include "ops.h"
#include "torch_op.h"

namespace ridge::torch {
namespace {

class GemmOp : public TorchOp {
 public:
  GemmOp(const sdk::Task& task, const Place& place, const Gemm& gemm)
      : TorchOp(task, place, {.switches = {.tf32 = gemm.dtype == DType::tf32}}), gemm_(gemm) {
    for (int64_t copy = 0; copy < task.copies; ++copy) {
      const at::Tensor& b = tensor("b", copy);
      copies_.push_back(
          {tensor("a", copy), gemm.layout == Gemm::Layout::nt ? b.t() : b, tensor("c", copy)});
    }
    widens_ = gemm.dtype != DType::int8 && gemm.dtype != DType::fp8 &&
              scalar_type(gemm.output_dtype()) != scalar_type(gemm.dtype);
    kernel_ = gemm.dtype == DType::int8  ? "_int_mm"
              : gemm.dtype == DType::fp8 ? "_scaled_mm, one scale of 1, no fast accumulation"
                                         : "mm";
    if (gemm.dtype == DType::fp8) {
      one_ = at::ones({}, at::TensorOptions(at::kFloat).device(place.device));
    }
  }

 protected:
  void compute(int64_t index) override {
    Copy& copy = copies_[static_cast<size_t>(index)];
    if (gemm_.dtype == DType::int8) {
      at::_int_mm_out(copy.c, copy.a, copy.b);
    } else if (gemm_.dtype == DType::fp8) {
      at::_scaled_mm_out(copy.c, copy.a, copy.b, one_, one_, {}, {}, copy.c.scalar_type(), false);
    } else if (widens_) {
      at::mm_out(copy.c, copy.a, copy.b, copy.c.scalar_type());
    } else {
      at::mm_out(copy.c, copy.a, copy.b);
    }
  }

 private:
  struct Copy {
    at::Tensor a, b, c;
  };
  Gemm gemm_;
  bool widens_ = false;  // f32 out of f16 or bf16
  std::vector<Copy> copies_;
  at::Tensor one_;
};

// What PyTorch 2.11 checks itself, told before it is asked.
Result<void> can_fp8(const Gemm& gemm, const Place& place) {
  if (!place.on_cuda() || place.gpu->major * 10 + place.gpu->minor < 89) {
    return Error{"_scaled_mm takes fp8 on NVIDIA GPUs of compute capability 8.9 or more"};
  }
  if (gemm.layout != Gemm::Layout::nt || gemm.n % 16 != 0 || gemm.k % 16 != 0) {
    return Error{"_scaled_mm takes fp8 with layout nt, and n and k that are multiples of 16"};
  }
  return {};
}

}  // namespace

// What PyTorch 2.11 checks itself, told before it is asked.
Result<void> can_int8(const Gemm& gemm, const Place& place) {
  if (place.on_cuda() && (gemm.m <= 16 || gemm.n % 8 != 0 || gemm.k % 8 != 0)) {
    return Error{"_int_mm on CUDA takes m above 16, and n and k that are multiples of 8"};
  }
  if (place.device.is_mps()) return Error{"PyTorch has no int8 product on MPS"};
  return {};
}

Result<void> can(const Gemm& gemm, const Settings& settings, const Place& place) {
  if (gemm.weights) {
    return Error{fmt::format(
        "PyTorch has no product with {} weights: quantised ones are in packages of their own "
        "(torchao)",
        name(*gemm.weights))};
  }
  if (settings.form == Form::packed) {
    return Error{"eager PyTorch takes weights as they are: it has no packed form"};
  }
  if (gemm.dtype == DType::tf32 && !place.on_cuda()) {
    return Error{fmt::format("PyTorch has no tf32 on {}: f32 products are true f32 there",
                             place.device.str())};
  }
  if (gemm.dtype == DType::f64 && place.device.is_mps()) return Error{"MPS has no f64"};
  if (gemm.dtype == DType::int8) return can_int8(gemm, place);
  if (gemm.dtype == DType::fp8) return can_fp8(gemm, place);
  const DType out = gemm.output_dtype();
  if (scalar_type(out) != scalar_type(gemm.dtype)) {
    const bool half = gemm.dtype == DType::bf16 || gemm.dtype == DType::f16;
    if (!place.on_cuda() || !half || out != DType::f32) {
      return Error{
          fmt::format("PyTorch's mm on {} gives no {} from {}: a conversion after it would "
                      "be another operation",
                      place.device.str(), name(out), name(gemm.dtype))};
    }
  }
  return {};
}

std::unique_ptr<TorchOp> make_gemm(const sdk::Task& task, const Place& place) {
  if (const auto* sustained = std::get_if<Sustained>(&task.work)) {
    return std::make_unique<GemmOp>(task, place, sustained->gemm);
  }
  return std::make_unique<GemmOp>(task, place, std::get<Gemm>(task.work));
}

}  // namespace ridge::torch
