#include "workload/kinds/convstack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace ridge {
namespace {

constexpr int64_t kMostExtent = int64_t{1} << 24;
constexpr double kInt8Deviation = 73.9;  // of a uniform int8
constexpr double kMostSigmas = 8;        // of rounding, in an element that still counts as right

double weight_scale(const ConvStack& stack) {
  return stack.dtype == DType::int8 ? 1.0 : std::sqrt(3.0 / static_cast<double>(stack.channels));
}

// Standard deviation of the rounding that one layer adds, as a share of the values' size.
double rounding(const ConvStack& stack) {
  switch (stack.dtype) {
    case DType::bf16: return 0x1p-9;
    case DType::f16: return 0x1p-12;
    default: return 0x1p-25 * std::sqrt(static_cast<double>(stack.channels));
  }
}

// One pixel through all layers, in float64 (in exact integers for int8).
std::vector<double> forward(const ConvStack& stack, const InputSource& inputs, int64_t pixel) {
  const TensorKey x = inputs.key("x"), w = inputs.key("w");
  const int64_t c = stack.channels;
  const double scale = weight_scale(stack);
  std::vector<double> in(static_cast<size_t>(c)), out(in.size());
  for (int64_t i = 0; i < c; ++i) {
    in[static_cast<size_t>(i)] = random_element(x, stack.dtype, 1.0, pixel * c + i);
  }
  for (int64_t layer = 0; layer < stack.depth; ++layer) {
    for (int64_t o = 0; o < c; ++o) {
      const int64_t row = (layer * c + o) * c;
      double sum = 0;
      for (int64_t i = 0; i < c; ++i) {
        sum += random_element(w, stack.dtype, scale, row + i) * in[static_cast<size_t>(i)];
      }
      if (stack.dtype == DType::int8) {
        const float scaled = static_cast<float>(sum) * stack.int8_scale();
        sum = std::clamp(std::nearbyint(static_cast<double>(scaled)), -128.0, 127.0);
      }
      out[static_cast<size_t>(o)] = sum;
    }
    in.swap(out);
  }
  return in;
}

}  // namespace

float ConvStack::int8_scale() const {
  return static_cast<float>(1 / (kInt8Deviation * std::sqrt(static_cast<double>(channels))));
}

Result<void> validate(const ConvStack& stack) {
  const struct {
    std::string_view name;
    int64_t value, most;
  } fields[] = {{"channels", stack.channels, 1 << 16},
                {"spatial", stack.spatial, kMostExtent},
                {"depth", stack.depth, 4096}};
  for (const auto& [name, value, most] : fields) {
    if (value < 1 || value > most) {
      return Error{fmt::format("convstack: {} must lie in 1 to {}, found {}", name, most, value)};
    }
  }
  if (stack.dtype != DType::f32 && stack.dtype != DType::bf16 && stack.dtype != DType::f16 &&
      stack.dtype != DType::int8) {
    return Error{fmt::format("convstack: dtype must be f32, bf16, f16 or int8, found {}",
                             name(stack.dtype))};
  }
  if (cost(stack, {}).footprint > 0x1p44) return Error{"convstack: tensors exceed 16 TiB"};
  return {};
}

std::string operation(const ConvStack& stack) { return std::string(name(stack.dtype)); }

std::string work_key(const ConvStack& stack) {
  return fmt::format("convstack/{}/{}x{}/d{}", name(stack.dtype), stack.channels, stack.spatial,
                     stack.depth);
}

Cost cost(const ConvStack& stack, const Settings&) {
  const auto c = static_cast<double>(stack.channels), s = static_cast<double>(stack.spatial),
             depth = static_cast<double>(stack.depth);
  const double width = bytes_of(stack.dtype);
  Cost cost;
  cost.model_flops = cost.executed_flops = 2 * c * c * s * depth;
  cost.bytes_read = (s * c + c * c) * depth * width;
  cost.bytes_written = s * c * depth * width;
  cost.bytes_write_allocate = cost.bytes_written;
  cost.footprint = (2 * s * c + c * c * depth) * width;
  cost.rate_unit = RateUnit::flop_per_s;
  return cost;
}

std::vector<TensorSpec> tensors(const ConvStack& stack) {
  using Role = TensorSpec::Role;
  const int64_t c = stack.channels;
  return {{"x", Role::input, stack.dtype, {stack.spatial, c}},
          {"w", Role::weight, stack.dtype, {stack.depth, c, c}, weight_scale(stack)},
          {"y", Role::output, stack.dtype, {stack.spatial, c}}};
}

std::vector<int64_t> elements_to_check(const ConvStack& stack, std::string_view tensor,
                                       int64_t want, TensorKey choice) {
  std::vector<int64_t> elements;
  if (tensor != "y") return elements;
  const int64_t c = stack.channels;
  const int64_t count = std::clamp<int64_t>(want / c, 1, stack.spatial);
  std::vector<int64_t> pixels;
  for (int64_t i = 0; i < count; ++i) {
    pixels.push_back(
        static_cast<int64_t>(random_uniform(choice, i) * static_cast<double>(stack.spatial)));
  }
  if (want >= 256) pixels.insert(pixels.end(), {int64_t{0}, stack.spatial - 1});
  std::sort(pixels.begin(), pixels.end());
  pixels.erase(std::unique(pixels.begin(), pixels.end()), pixels.end());
  for (const int64_t pixel : pixels) {
    for (int64_t i = 0; i < c; ++i) elements.push_back(pixel * c + i);
  }
  return elements;
}

std::vector<Expected> expected(const ConvStack& stack, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  std::vector<Expected> out;
  if (tensor != "y") return out;
  std::map<int64_t, std::vector<double>> pixels;
  for (const int64_t element : elements) {
    const int64_t pixel = element / stack.channels;
    std::vector<double>& values = pixels[pixel];
    if (values.empty()) values = forward(stack, inputs, pixel);
    const double value = values[static_cast<size_t>(element % stack.channels)];
    double tolerance = 1;  // a tie of int8 may go either way
    if (stack.dtype != DType::int8) {
      // A layer's rounding passes through the layers after it without growing: their weights keep
      // the size of what goes through.
      // With few channels it may shrink by chance, and the noise less: 4 times the end's size.
      double squares = 0;
      for (const double v : values) squares += v * v;
      const double size = std::sqrt(squares / static_cast<double>(values.size()));
      const double few = stack.channels < 64 ? 4 : 1;
      tolerance =
          few * kMostSigmas * std::sqrt(static_cast<double>(stack.depth)) * rounding(stack) * size;
    }
    out.push_back({value, tolerance});
  }
  return out;
}

}  // namespace ridge
