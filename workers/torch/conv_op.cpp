#include <ATen/ops/_int_mm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <cmath>

#include "ops.h"
#include "torch_op.h"

namespace ridge::torch {
namespace {

// The pixels as an image, as square as their number allows.
int64_t height_of(int64_t pixels) {
  auto height = static_cast<int64_t>(std::sqrt(static_cast<double>(pixels)));
  while (pixels % height != 0) --height;
  return height;
}

class ConvOp : public TorchOp {
 public:
  ConvOp(const sdk::Task& task, const Place& place)
      : TorchOp(task, place, {.gives_outputs = true}), y_(index_of("y")) {
    const auto& stack = std::get<ConvStack>(task.work);
    const int64_t c = stack.channels, height = height_of(stack.spatial);
    for (int64_t i = 0; i < task.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      // The strides of channels-last, which PyTorch knows an NHWC image by.
      copy.x = tensor("x", i).view({1, height, stack.spatial / height, c}).permute({0, 3, 1, 2});
      const at::Tensor weights = tensor("w", i);
      for (int64_t layer = 0; layer < stack.depth; ++layer) {
        copy.weights.push_back(weights.select(0, layer).view({c, c, 1, 1}));
      }
    }
    kernel_ = "conv2d, channels last";
    notes_.emplace_back("activations between the layers: allocated by PyTorch");
  }

 protected:
  void compute(int64_t index) override {
    const Copy& copy = copies_[static_cast<size_t>(index)];
    at::Tensor y = copy.x;
    for (const at::Tensor& weights : copy.weights) y = at::conv2d(y, weights);
    give(y_, index, y.permute({0, 2, 3, 1}));  // a view, for those who read it
  }

 private:
  struct Copy {
    at::Tensor x;
    std::vector<at::Tensor> weights;
  };
  size_t y_;
  std::vector<Copy> copies_;
};

// W8A8 as eager PyTorch has it: conv2d takes no int8, but a 1x1 convolution is a product of the
// pixels with the weights.
class Int8ConvOp : public TorchOp {
 public:
  Int8ConvOp(const sdk::Task& task, const Place& place)
      : TorchOp(task, place, {.gives_outputs = true}), y_(index_of("y")) {
    const auto& stack = std::get<ConvStack>(task.work);
    scale_ = at::scalar_tensor(stack.int8_scale(), at::TensorOptions(at::kFloat)).to(place.device);
    for (int64_t i = 0; i < task.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      copy.x = tensor("x", i);
      for (const at::Tensor& weights : tensor("w", i).unbind()) copy.weights.push_back(weights.t());
    }
    kernel_ = "_int_mm, then mul, round, clamp, to";
    notes_.emplace_back("activations between the layers: allocated by PyTorch");
    notes_.emplace_back("int8: no fused kernel, the int32 sums are scaled and rounded in 4 passes");
  }

 protected:
  void compute(int64_t index) override {
    const Copy& copy = copies_[static_cast<size_t>(index)];
    at::Tensor y = copy.x;
    for (const at::Tensor& weights : copy.weights) {
      const at::Tensor sums = at::_int_mm(y, weights);
      y = at::mul(sums, scale_).round_().clamp_(-128, 127).to(at::kChar);
    }
    give(y_, index, y);
  }

 private:
  struct Copy {
    at::Tensor x;
    std::vector<at::Tensor> weights;
  };
  size_t y_;
  at::Tensor scale_;
  std::vector<Copy> copies_;
};

}  // namespace

Result<void> can(const ConvStack& stack, const Settings& settings, const Place& place) {
  if (settings.form == Form::packed) {
    return Error{"eager PyTorch takes weights as they are: it has no packed form"};
  }
  if (stack.dtype != DType::int8) return {};
  auto yes = can_int8(
      Gemm{.dtype = DType::int8, .m = stack.spatial, .n = stack.channels, .k = stack.channels},
      place);
  if (!yes) return yes.error().in("int8, as a product of pixels and channels");
  return {};
}

std::unique_ptr<TorchOp> make_convolution(const sdk::Task& task, const Place& place) {
  if (std::get<ConvStack>(task.work).dtype == DType::int8) {
    return std::make_unique<Int8ConvOp>(task, place);
  }
  return std::make_unique<ConvOp>(task, place);
}

}  // namespace ridge::torch
