#include "alloc_op.h"

#include <stdexcept>

namespace ridge::llamacpp {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kPiece = 256 * kMiB;
constexpr int64_t kMost = int64_t{1} << 40;

}  // namespace

std::vector<double> AllocOp::read(std::string_view, int64_t, std::span<const int64_t>) {
  throw std::invalid_argument("alloc has no tensors");
}

// A buffer that was written to, or none.
ggml_backend_buffer_ptr AllocOp::try_bytes(int64_t bytes) const {
  ggml_backend_buffer_ptr buffer(ggml_backend_buft_alloc_buffer(
      ggml_backend_get_default_buffer_type(backend_), static_cast<size_t>(bytes)));
  if (buffer) ggml_backend_buffer_clear(buffer.get(), 1);
  return buffer;
}

void AllocOp::run(int64_t) {
  int64_t good = 0;
  if (what_ == Alloc::What::single) {
    int64_t bad = kMost;
    while (bad - good > kMiB + good / 256) {
      const int64_t middle = good + (bad - good) / 2;
      (try_bytes(middle) ? good : bad) = middle;
    }
  } else {
    std::vector<ggml_backend_buffer_ptr> held;
    for (int64_t piece = kPiece; piece >= kMiB;) {
      if (ggml_backend_buffer_ptr more = try_bytes(piece)) {
        held.push_back(std::move(more));
        good += piece;
      } else {
        piece /= 2;
      }
    }
  }
  found_ = good;
}

sdk::OpInfo AllocOp::info() const {
  sdk::OpInfo info{.kernel =
                       ggml_backend_buft_name(ggml_backend_get_default_buffer_type(backend_))};
  if (found_ > 0) {
    const char* name = what_ == Alloc::What::single ? "largest_single" : "largest_total";
    info.values = {{name, static_cast<double>(found_), "B"}};
  }
  return info;
}

}  // namespace ridge::llamacpp
