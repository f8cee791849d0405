#include <fmt/format.h>
#include <torch/version.h>

#include "torch_worker.h"

int main(int argc, char** argv) {
  const auto compiled =
      fmt::format("{}.{}.{}", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, TORCH_VERSION_PATCH);
  const auto same = ridge::sdk::same_version("PyTorch", compiled, ridge::torch::torch_version());
  if (!same) return ridge::sdk::refuse(argc, argv, same.error().message);
  // Before OpenMP starts a thread: the affinity mask read here is the caller's.
  ridge::torch::TorchWorker worker(ridge::cpu::read_topology(), ridge::torch::open_cuda());
  return ridge::sdk::serve(argc, argv, worker);
}
