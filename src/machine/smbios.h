#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "machine/machine.h"

namespace ridge::machine {

// What a table of SMBIOS structures (DMTF DSP0134, as in /sys/firmware/dmi/tables/DMI) says. No
// serial numbers are read.
struct Smbios {
  std::vector<MemoryDevice> memory;     // populated devices (type 17)
  int64_t memory_slots = 0;             // all of them
  std::vector<std::string> processors;  // versions of populated sockets (type 4)
  std::string manufacturer, product;    // of the system (type 1)
  bool truncated = false;               // the table ended inside a structure
};

// Survives any bytes: what does not fit its structure is unknown.
Smbios parse_smbios(std::span<const std::byte> table);

// Width times configured rate, summed over channels. Unknown unless every populated device says
// both, and it is known which devices share a channel: two on one channel do not go faster.
// `sockets` counts the populated processors: with several, a channel's name must begin with its
// own.
Known<double> theoretical_bandwidth(std::span<const MemoryDevice> populated, size_t sockets);

}  // namespace ridge::machine
