#pragma once

#include <span>
#include <string>
#include <vector>

#include "machine/known.h"
#include "machine/machine.h"

namespace ridge::machine {

// How to find out about one instruction set of this architecture.
struct Probe {
  const char* name;
  // What cpuid or the kernel says; unknown where neither can be asked.
  Known<bool> (*announced)();
  // Runs one instruction of the set and says whether its result was right. It may end the process
  // by a signal, so only runs_in_child() calls it; it must not allocate or lock.
  bool (*run)();
};

// The instruction sets of the architecture this was built for (isa_x86.cpp, isa_arm.cpp, …).
std::span<const Probe> isa_probes();
std::string isa_reason();  // why isa_probes() is empty

// Runs each in a child process of its own, all at once: true if it ended well, false if it died of
// an illegal instruction or computed something wrong; unknown if it died otherwise or took longer
// than `timeout_ms`.
std::vector<Known<bool>> run_in_children(std::span<const Probe> probes, int timeout_ms = 2000);

std::vector<Extension> probe_extensions(std::span<const Probe> probes);

}  // namespace ridge::machine
