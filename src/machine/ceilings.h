#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/chips.h"

namespace ridge {

// What a device cannot exceed, whatever is measured: from what is published of its chip and the
// highest clock that it may run at. Only to refuse what is impossible; a roof is measured.
struct Ceilings {
  struct Compute {
    std::string dtype;
    double per_clock = 0;  // of the chip, or of one core of a processor; 0: not known
    std::string units;     // "528 tensor cores x 1024 FLOP a clock"
    double flops = 0;      // as published; 0 for processors
    double clock_hz = 0;   // that this holds at; 0: not known
    std::string source;    // title
  };
  std::string chip;
  bool processor = false;
  std::vector<Compute> compute;      // dense
  int64_t cores = 0;                 // of a processor, that may be at work at once; 0: not known
  std::optional<double> maximum_hz;  // of the device
  std::optional<double> bytes_per_s;
  std::string memory_source;
  int64_t cache_bytes = 0;  // of the largest level, of the whole chip; 0: not known
};

// Of the machine's device of that name (normalized_chip_name); Apple's processors and GPUs have one
// name, `processor` tells which is meant. nullopt where the chip is not known.
std::optional<Ceilings> ceilings_of(const ChipDatabase& database, const Machine& machine,
                                    std::string_view device_name, bool processor);

struct Ceiling {
  double rate = 0;   // a second, what is allowed for included
  std::string from;  // how it comes about, and its source
};

// The highest of published, maximum and sampled clock counts. 5 % is allowed for clocks and figures
// that are not exact, 25 % more where the device's maximum clock is not known (an H200 runs at 1.08
// times its published one) or was seen exceeded. Of a processor: of its cores, or of `threads`, if
// above 0; nullopt without a sampled clock, as the maximum that a system tells may leave boost out.
// nullopt for a dtype that nothing is known of.
std::optional<Ceiling> compute_ceiling(const Ceilings& ceilings, std::string_view dtype,
                                       int threads, std::optional<double> sampled_hz);

// For operands that rotate through so many bytes: the part that a cache may hold costs no memory
// traffic. nullopt where it may hold all.
std::optional<Ceiling> memory_ceiling(const Ceilings& ceilings, double rotated_bytes,
                                      double cache_bytes);

}  // namespace ridge
