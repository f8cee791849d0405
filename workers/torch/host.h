#pragma once

#include "topology.h"

namespace ridge::torch {

// The threads that PyTorch computes with on the processor: OpenMP's, of the copy that libtorch
// brings. Used from the main thread alone.
class Host {
 public:
  explicit Host(cpu::Topology topology) : topology_(std::move(topology)) {}

  const cpu::Topology& topology() const { return topology_; }
  int cores() const { return static_cast<int>(topology_.cores.size()); }
  // Threads for a setting: 0 means all cores.
  int threads_for(int setting) const { return setting == 0 ? cores() : setting; }

  // Makes what follows run on `threads` threads, kept to as many physical cores: one processor of
  // each. The mask is that of the whole team, as a library that asks for a smaller team ends
  // threads, and those made anew inherit the mask of the one that makes them.
  void use(int threads) {
    if (threads != active_) start(threads);
  }
  // Ends the threads but this one, so that none spins. The next use() starts them anew.
  void park();

 private:
  void start(int threads);

  cpu::Topology topology_;
  int active_ = 0;
};

}  // namespace ridge::torch
