#include "worker/sdk/host_op.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace ridge::sdk {
namespace {
constexpr int64_t kMostCopies = 4096;  // tiny operands stay warm rather than take minutes to fill
}

HostOp::HostOp(const Task& task, Arena& arena, ParallelFor parallel)
    : task_(task), arena_(arena), parallel_(std::move(parallel)), specs_(tensors(task.work)) {
  const int64_t before = arena.used();
  for (int64_t copy = 0; copy < task.copies; ++copy) {
    std::vector<void*>& arrays = data_.emplace_back();
    for (const TensorSpec& spec : specs_) arrays.push_back(arena.allocate(spec.bytes()));
  }
  bytes_ = arena.used() - before;
}

size_t HostOp::index_of(std::string_view tensor) const {
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].name == tensor) return i;
  }
  throw std::invalid_argument("no tensor named '" + std::string(tensor) + "'");
}

void* HostOp::data(std::string_view tensor, int64_t copy) const {
  return data_.at(static_cast<size_t>(copy))[index_of(tensor)];
}

void HostOp::fill(const InputSource& inputs) {
  for (size_t i = 0; i < specs_.size(); ++i) {
    const TensorSpec& spec = specs_[i];
    auto* array = static_cast<std::byte*>(data_.at(static_cast<size_t>(inputs.copy))[i]);
    const int64_t width = spec.unit_bytes();
    const TensorKey key = inputs.key(spec.name);
    parallel_(spec.units(), [&](int64_t begin, int64_t end) {
      if (spec.role == TensorSpec::Role::output) {
        // All bits set: NaN in every floating type, -1 in integers.
        std::memset(array + begin * width, 0xff, static_cast<size_t>((end - begin) * width));
      } else {
        ridge::fill(spec, key, begin, end - begin, array + begin * width);
      }
    });
  }
  filled(inputs.copy);
}

std::vector<double> HostOp::read(std::string_view tensor, int64_t copy,
                                 std::span<const int64_t> elements) {
  const TensorSpec& spec = specs_[index_of(tensor)];
  const void* array = data(tensor, copy);
  std::vector<double> values;
  values.reserve(elements.size());
  for (const int64_t element : elements) {
    if (element < 0 || element >= spec.elements()) {
      throw std::out_of_range("element " + std::to_string(element) + " of tensor '" + spec.name +
                              "' does not exist");
    }
    values.push_back(load(spec.dtype, array, element));
  }
  return values;
}

int64_t rotation_copies(CacheMode cache, int64_t footprint, int64_t cache_bytes,
                        int64_t memory_bytes) {
  if (cache == CacheMode::hot || footprint < 1) return 1;
  cache_bytes = std::clamp<int64_t>(cache_bytes, 0, int64_t{1} << 50);
  // An op that streams through 16 caches leaves at most a sixteenth of itself behind.
  if (footprint >= 16 * std::max<int64_t>(cache_bytes, 1)) return 1;
  const int64_t wanted = std::max<int64_t>(2, (2 * cache_bytes + footprint - 1) / footprint + 1);
  const int64_t fitting = std::max<int64_t>(1, memory_bytes / 2 / footprint);
  return std::min({wanted, fitting, kMostCopies});
}

}  // namespace ridge::sdk
