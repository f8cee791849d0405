#include "torch_worker.h"

int main(int argc, char** argv) {
  // Before OpenMP starts a thread: the affinity mask read here is the caller's.
  ridge::torch::TorchWorker worker(ridge::cpu::read_topology(), ridge::torch::open_cuda());
  return ridge::sdk::serve(argc, argv, worker);
}
