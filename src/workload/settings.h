#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace ridge {

// Where the operands are when an op starts. cold: the ops rotate through so many copies of every
// tensor that none is left in the last-level cache; hot: one copy, used again and again; warm:
// what lies between, which nobody asks for but a row may turn out to be. Of work that reads a file
// it is the system's page cache that holds none of it, or all.
enum class CacheMode { cold, warm, hot };

// isolated: one op a sample, waited for; pipelined: many ops submitted, waited for once.
enum class Timing { isolated, pipelined };

// plain: operands in row-major order; packed: weights laid out beforehand as the library likes.
enum class Form { plain, packed };

std::string_view name(CacheMode cache);
std::string_view name(Timing timing);
std::string_view name(Form form);

// How a Workload is run. Part of the row's key, not of the work's.
struct Settings {
  CacheMode cache = CacheMode::cold;
  Timing timing = Timing::pipelined;
  Form form = Form::plain;
  int threads = 0;     // 0: one a physical core
  bool graph = false;  // replayed from a recorded graph (CUDA graph, compiled function)
  // Which of the ways that a worker has ("fused", "unfused", "flash", "math"); empty: the one that
  // the library chooses. Lower-case letters, digits and _.
  std::string backend = {};
  int micro_batch = 0;  // tokens that a model computes at a time; 0: 512, as llama.cpp has it

  bool operator==(const Settings&) const = default;
};

Json to_json(const Settings& settings);
Result<Settings> parse_settings(const Json& json, const std::string& where);

// "cold/pipelined", then what differs from the default: "/packed", "/1t", "/ub256", "/graph",
// "/flash".
std::string settings_key(const Settings& settings);

}  // namespace ridge
