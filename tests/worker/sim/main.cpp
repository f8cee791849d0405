#include "sim.h"

int main(int argc, char** argv) {
  // Never destroyed: their users are threads that end with the process.
  const auto& mode = *new sim::Mode(sim::mode_from_environment());
  auto& state = *new sim::State;
  sim::stand_between(mode, state);
  sim::SimWorker worker(mode, state);
  return ridge::sdk::serve(argc, argv, worker);
}
