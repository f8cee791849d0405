#include "workload/kinds/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ridge {
namespace {

constexpr double kRoundoff = 0x1p-24;

double element(const InputSource& inputs, std::string_view tensor, int64_t index) {
  return random_element(inputs.key(tensor), DType::f32, 1.0, index);
}

}  // namespace

Result<void> validate(const Stream& stream) {
  if (stream.bytes < 256 || stream.bytes % 256 != 0 || stream.bytes > (int64_t{1} << 43)) {
    return Error{fmt::format(
        "stream: bytes must be a multiple of 256 between 256 and 8 TiB, found {}", stream.bytes)};
  }
  if (stream.nontemporal && stream.op == Stream::Op::read) {
    return Error{"stream: read stores nothing, so it cannot be nontemporal"};
  }
  return {};
}

std::string work_key(const Stream& stream) {
  return fmt::format("stream/{}/{}{}", name(stream.op), bytes_key(stream.bytes),
                     stream.nontemporal ? "/nt" : "");
}

std::string operation(const Stream& stream) { return std::string(name(stream.op)); }

Cost cost(const Stream& stream, const Settings&) {
  const auto array = static_cast<double>(stream.bytes);
  Cost cost;
  cost.rate_unit = RateUnit::byte_per_s;
  switch (stream.op) {
    case Stream::Op::read: cost.bytes_read = array; break;
    case Stream::Op::write: cost.bytes_written = array; break;
    case Stream::Op::copy: cost.bytes_read = cost.bytes_written = array; break;
    case Stream::Op::triad:
      cost.bytes_read = 2 * array;
      cost.bytes_written = array;
      cost.model_flops = cost.executed_flops = 2.0 * static_cast<double>(stream.elements());
      break;
  }
  cost.footprint = cost.bytes_read + cost.bytes_written;
  if (!stream.nontemporal) cost.bytes_write_allocate = cost.bytes_written;
  return cost;
}

std::vector<TensorSpec> tensors(const Stream& stream) {
  using Role = TensorSpec::Role;
  const std::vector<int64_t> shape = {stream.elements()};
  const TensorSpec a{"a", Role::input, DType::f32, shape}, b{"b", Role::input, DType::f32, shape};
  const TensorSpec s{"s", Role::input, DType::f32, {1}}, c{"c", Role::output, DType::f32, shape};
  switch (stream.op) {
    case Stream::Op::read: {
      const int64_t chunks = (stream.elements() + Stream::chunk - 1) / Stream::chunk;
      return {a, {"sum", Role::output, DType::f32, {chunks}}};
    }
    case Stream::Op::write: return {s, c};
    case Stream::Op::copy: return {a, c};
    case Stream::Op::triad: return {a, b, s, c};
  }
  return {};
}

std::vector<int64_t> elements_to_check(const Stream& stream, std::string_view tensor, int64_t want,
                                       TensorKey choice) {
  std::vector<int64_t> elements;
  for (const TensorSpec& spec : tensors(stream)) {
    if (spec.name != tensor || spec.role != TensorSpec::Role::output) continue;
    const int64_t all = spec.elements();
    if (all <= want || (want >= 256 && spec.name == "c" && all <= (1 << 16))) {
      for (int64_t i = 0; i < all; ++i) elements.push_back(i);
      return elements;
    }
    // A partial sum costs 8192 elements to recompute.
    const int64_t count = spec.name == "sum" ? std::min<int64_t>(want, 16) : want;
    elements = {0, all - 1};
    for (int64_t i = 0; i < count; ++i) {
      elements.push_back(
          static_cast<int64_t>(random_uniform(choice, i) * static_cast<double>(all)));
    }
    std::sort(elements.begin(), elements.end());
    elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  }
  return elements;
}

std::vector<Expected> expected(const Stream& stream, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  std::vector<Expected> out;
  if (tensor != "c" && tensor != "sum") return out;
  const double scalar = element(inputs, "s", 0);
  for (const int64_t i : elements) {
    switch (stream.op) {
      case Stream::Op::read: {
        const TensorKey key = inputs.key("a");
        const int64_t end = std::min((i + 1) * Stream::chunk, stream.elements());
        double sum = 0, magnitudes = 0, squares = 0;
        for (int64_t j = i * Stream::chunk; j < end; ++j) {
          const double value = random_element(key, DType::f32, 1.0, j);
          sum += value;
          magnitudes += std::fabs(value);
          squares += value * value;
        }
        // One by one, each addition rounds what has come together so far.
        const double steps = std::sqrt(static_cast<double>(end - i * Stream::chunk));
        const double so_far = std::max(std::fabs(sum), std::sqrt(squares));
        out.push_back({sum, kRoundoff * (2 * magnitudes + 4 * steps * so_far)});
        break;
      }
      case Stream::Op::write: out.push_back({scalar, 0}); break;
      case Stream::Op::copy: out.push_back({element(inputs, "a", i), 0}); break;
      case Stream::Op::triad: {
        const double a = element(inputs, "a", i), product = scalar * element(inputs, "b", i);
        out.push_back({a + product, 2 * kRoundoff * (std::fabs(a) + 2 * std::fabs(product))});
        break;
      }
    }
  }
  return out;
}

}  // namespace ridge
