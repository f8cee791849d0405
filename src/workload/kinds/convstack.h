#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// `depth` 1x1 convolutions, one on the other: y = W[depth-1] · … · W[0] · x at every pixel, each
// layer's result rounded to the dtype. x and y are [spatial, channels] (NHWC), w is
// [depth, channels out, channels in], drawn so that the values neither grow nor die. int8 is W8A8:
// the int32 sum times int8_scale() in f32, rounded to the nearest even and clamped to -128…127.
struct ConvStack {
  DType dtype = DType::f32;
  int64_t channels = 0;
  int64_t spatial = 0;
  int64_t depth = 0;

  static constexpr std::string_view kind = "convstack";
  static constexpr std::string_view about = "a stack of 1x1 convolutions";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("dtype", self.dtype, "element type: f32, bf16, f16, or int8 (W8A8)");
    visit("channels", self.channels, "channels in and out of every layer");
    visit("spatial", self.spatial, "pixels: height times width, the batch included");
    visit("depth", self.depth, "layers");
  }

  float int8_scale() const;
  bool operator==(const ConvStack&) const = default;
};

Result<void> validate(const ConvStack& stack);
std::string work_key(const ConvStack& stack);   // "convstack/int8/512x4096/d16"
std::string operation(const ConvStack& stack);  // its dtype
// Bytes: in, out and weights of every layer.
Cost cost(const ConvStack& stack, const Settings& settings);
std::vector<TensorSpec> tensors(const ConvStack& stack);  // x, w, y
// Whole pixels, as all channels of one cost the same as a single one: the first, the last and some
// in between; a single one where `want` is below 256.
std::vector<int64_t> elements_to_check(const ConvStack& stack, std::string_view tensor,
                                       int64_t want, TensorKey choice);
std::vector<Expected> expected(const ConvStack& stack, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
