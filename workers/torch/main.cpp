#include <fmt/format.h>
#include <torch/version.h>

#include <utility>

#include "torch_worker.h"

int main(int argc, char** argv) {
  // Before OpenMP starts a thread: the affinity mask read here is the caller's.
  auto topology = ridge::cpu::read_topology();
  // Before PyTorch is asked anything: its first answer settles for good whether it has CUDA.
  auto cuda = ridge::torch::open_cuda();
  const auto compiled =
      fmt::format("{}.{}.{}", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, TORCH_VERSION_PATCH);
  const auto same = ridge::sdk::same_version("PyTorch", compiled, ridge::torch::torch_version());
  if (!same) return ridge::sdk::refuse(argc, argv, same.error().message);
  ridge::torch::TorchWorker worker(std::move(topology), std::move(cuda));
  return ridge::sdk::serve(argc, argv, worker);
}
