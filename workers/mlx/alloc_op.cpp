#include "alloc_op.h"

#include <mlx/mlx.h>

#include <stdexcept>

namespace ridge::mlx_worker {
namespace {

constexpr int64_t kRow = int64_t{1} << 20;  // bytes: MLX counts a dimension in 32 bits
constexpr int64_t kPiece = 256;             // rows

// `rows` MiB that were written to, or nothing.
Arrays try_rows(int64_t rows) try {
  mx::array made =
      mx::full({static_cast<int>(rows), static_cast<int>(kRow)}, uint8_t{1}, mx::uint8);
  mx::eval(made);
  mx::synchronize();
  return {made};
} catch (const std::exception&) {
  return {};
}

}  // namespace

std::vector<double> AllocOp::read(std::string_view, int64_t, std::span<const int64_t>) {
  throw std::invalid_argument("alloc has no tensors");
}

void AllocOp::run(int64_t) {
  mx::set_default_device(device_);
  mx::clear_cache();
  int64_t rows = 0;
  if (what_ == Alloc::What::single) {
    int64_t bad = (int64_t{1} << 40) / kRow;
    while (bad - rows > 1 + rows / 256) {
      const int64_t middle = rows + (bad - rows) / 2;
      (try_rows(middle).empty() ? bad : rows) = middle;
      mx::clear_cache();
    }
  } else {
    Arrays held;
    for (int64_t piece = kPiece; piece > 0;) {
      Arrays more = try_rows(piece);
      if (more.empty()) {
        piece /= 2;
        continue;
      }
      held.push_back(more[0]);
      rows += piece;
    }
  }
  found_ = rows * kRow;
  mx::clear_cache();
}

sdk::OpInfo AllocOp::info() const {
  sdk::OpInfo info{.kernel = "full"};
  if (found_ > 0) {
    info.values = {{Alloc{what_}.result(), static_cast<double>(found_), "B"}};
  }
  return info;
}

}  // namespace ridge::mlx_worker
