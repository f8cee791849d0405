#include "cpu_worker.h"
#include "topology.h"

int main(int argc, char** argv) {
  // Before OpenMP starts a thread: the affinity mask read here is the caller's.
  ridge::cpu::CpuWorker worker(ridge::cpu::read_topology());
  return ridge::sdk::serve(argc, argv, worker);
}
