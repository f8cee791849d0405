// Where there are no CUDA headers to build with, or PyTorch does not tell its streams.
#include <stdexcept>

#include "graph.h"

namespace ridge::torch {

Result<void> can_record() {
  return Error{"graph: this worker was built without CUDA's headers beside PyTorch"};
}

std::unique_ptr<Graph> record(const c10::Stream&, const std::function<void()>&) {
  throw std::runtime_error(can_record().error().message);
}

}  // namespace ridge::torch
