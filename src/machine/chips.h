#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "machine/known.h"
#include "machine/machine.h"

namespace ridge {

// What is published and was measured of chips and links: data/chips.json, data/links.json. FLOPS
// are operations a second where the type is an integer one.

struct ChipSource {
  std::string id, title;
  std::string kind;  // "vendor", "measured", "secondary", "standard" or "derived"
  Known<std::string> date;
};

struct PeakFactors {
  double units = 0;
  std::string unit;           // "tensor core"
  double flop_per_clock = 0;  // of one unit
  double clock_hz = 0;
  double flops() const { return units * flop_per_clock * clock_hz; }
};

enum class Sparsity { dense, two_of_four };

struct Peak {
  std::string dtype;  // as base/dtype.h names them; also fp4, nvfp4 and int16
  Sparsity sparsity = Sparsity::dense;
  double flops = 0;
  bool approximate = false;
  bool announced = false;  // the chip does not ship yet
  std::optional<PeakFactors> factors;
  std::string source;
};

struct MemoryBandwidth {  // of the whole chip; of a socket for processors
  double bytes_per_s = 0;
  std::optional<double> advertised_bytes_per_s;  // where the maker rounds
  std::optional<double> bus_bits, transfers_per_s;
  bool approximate = false, at_most = false, announced = false;
  std::string source;
};

struct CorePeak {  // of one core of a processor, in one clock
  std::string dtype, instruction, source;
  double flop_per_clock = 0;
};

struct ChipModel {
  std::string name;      // as the machine or its driver says it
  Known<int64_t> cores;  // multiprocessors, Apple's GPU cores, cores of a socket
};

struct ChipCache {
  std::string level, source;
  int64_t bytes = 0;
  bool approximate = false;
};

struct BestMatmul {  // the best product that somebody measured
  std::string dtype, source;
  double flops = 0;
};

struct NeuralEngine {
  double ops = 0;     // a second
  std::string basis;  // the dtype, or "unstated"
  std::string source;
};

enum class ChipKind { accelerator, apple, cpu };

struct Chip {
  std::string id, vendor, name;
  ChipKind kind = ChipKind::accelerator;
  bool announced = false;
  std::vector<ChipModel> models;
  Known<int64_t> memory_bytes;
  Known<MemoryBandwidth> bandwidth;
  std::vector<Peak> peaks;         // none for processors
  std::string peaks_reason;        // why there are none
  std::vector<CorePeak> per_core;  // of processors
  std::vector<ChipCache> caches;
  std::vector<BestMatmul> best_matmul;
  std::optional<NeuralEngine> neural_engine;
  // Where models, factors and clocks come from, where it is not where the figures come from.
  std::string models_source, factors_source, clock_source;
};

struct Link {
  std::string id, name, source;
  double bytes_per_s = 0;                         // of one direction
  double lanes = 0, bits_per_s = 0, payload = 1;  // payload: the share that the line code leaves
  std::optional<double> measured_bytes_per_s;
  std::string measured_source;
};

struct ChipDatabase {
  std::vector<ChipSource> sources;
  std::vector<Chip> chips;
  std::vector<ChipSource> link_sources;
  std::vector<Link> links;
};

// From the texts of the two files; `where` names them in errors. Refused: unknown members, figures
// that are not above 0 or have no source, and a model that stands twice.
Result<ChipDatabase> parse_chips(std::string_view chips, const std::string& chips_where,
                                 std::string_view links, const std::string& links_where);
// From the folder that holds chips.json and links.json.
Result<ChipDatabase> read_chips(const std::string& folder);

// The one place where names are made alike: lower case, without trademark signs, "NVIDIA",
// "Processor", "CPU", "96-Core", a clock after "@", and surplus blanks.
std::string normalized_chip_name(std::string_view name);

struct ChipQuery {
  std::string name;  // "Apple M4 Pro", "NVIDIA H200", "AMD EPYC 9654 96-Core Processor"
  Known<int64_t> cores;
  std::optional<ChipKind> kind;  // none: any
  bool virtual_machine = false;  // it may show fewer cores than its processor has
};

struct ChipMatch {
  const Chip* chip = nullptr;           // in the database; null: unknown
  std::string reason;                   // why it is unknown
  std::vector<std::string> candidates;  // then: the nearest chips' names, nearest first; at most 4
};

// Known only where name and core count are those of exactly one chip.
ChipMatch match(const ChipDatabase& database, const ChipQuery& query);

struct DeviceChip {
  std::string device;  // "cpu", "nvidia:0", "apple"
  std::string name;    // what the machine calls it
  ChipMatch match;
};
// The processor, then each GPU.
std::vector<DeviceChip> match_machine(const ChipDatabase& database, const Machine& machine);
// The same for a machine as a run file holds it. What is missing there is not known.
std::vector<DeviceChip> match_machine(const ChipDatabase& database, const Json& machine);

// The match, and the chip's dense figures; an unknown one is null, with its reason and candidates.
Json to_json(const DeviceChip& device);

// The highest dense figure of that dtype; never a sparse one.
Known<Peak> dense_peak(const Chip& chip, std::string_view dtype);
// A processor's: cores x FLOP a clock x clock.
Known<double> dense_peak(const Chip& chip, std::string_view dtype, int64_t cores, double clock_hz);
Known<double> memory_bandwidth(const Chip& chip);  // bytes a second

}  // namespace ridge
