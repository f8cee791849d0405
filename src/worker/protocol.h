#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "workload/value.h"
#include "workload/workload.h"

// The messages of the worker protocol, version 1, as values. docs/protocol.md tells what they mean
// to the author of a worker in another language. Times are nanoseconds of a monotonic clock.
namespace ridge::protocol {

inline constexpr int kVersion = 1;

struct Device {
  std::string id;    // what a request names: "0", "cuda:1"
  std::string name;  // for people: "AMD EPYC 9B14"
  std::optional<int64_t> memory_bytes;
  int64_t cache_bytes = 0;  // of the last level, all that a rotation must exceed; 0: unknown
  std::vector<std::string> dtypes;  // that some kind of work takes
};

// Answers hello.
struct Hello {
  int protocol = kVersion;
  std::string worker;                                          // "cpu"
  std::vector<std::pair<std::string, std::string>> libraries;  // name, version
  std::vector<Device> devices;
  double clock_tick_ns = 0;      // smallest step seen between two readings of the clock
  double clock_overhead_ns = 0;  // median of an empty timed region
};

// Asks prepare. `salt` feeds the first inputs; copies 0 lets the worker choose its rotation.
struct Prepare {
  Workload work;
  Settings settings;
  std::string device;
  uint64_t salt = 0;
};

struct Prepared {
  std::optional<std::string> unsupported;  // the reason; then nothing below is set
  int64_t handle = 0;
  int64_t copies = 1;  // of every tensor, that the ops rotate through
  int64_t bytes_held = 0;
  double prepare_ns = 0;                      // building the op: code generation, layouts
  std::string kernel;                         // what the library chose
  std::vector<std::string> notes;             // such as "huge pages: 98 % of 3.0 GiB"
  std::optional<std::string> executed_dtype;  // where it is not the dtype asked for
  std::optional<std::string> backend;         // which way "" came to, where there are several
};

// Asks check: values of some elements of one tensor of one copy. With `run` the inputs are made
// anew from `salt`, the outputs are poisoned and the op runs once before.
struct Check {
  int64_t handle = 0;
  std::string tensor;
  int64_t copy = 0;
  bool run = false;
  uint64_t salt = 0;
  std::vector<int64_t> elements;
};

struct Checked {
  std::vector<double> values;
  std::optional<double> run_ns;  // of the one run, if there was one
};

// Asks time. Before anything is timed the inputs of every copy are made anew from `salt` and the
// outputs are poisoned; the event `started` says that this is done.
struct Time {
  int64_t handle = 0;
  uint64_t salt = 0;
  int64_t ops_per_sample = 1;
  int64_t most_samples = 0;
  double most_ns = 0;  // of wall time after `started`
};

// An event of time: consecutive samples, each of ops_per_sample ops.
struct Samples {
  std::vector<double> start_ns;   // since `started`
  std::vector<double> host_ns;    // the whole sample, clock overhead not subtracted
  std::vector<double> device_ns;  // on the device's own clock; empty where there is none
};

struct Timed {
  int64_t ops = 0;         // run after `started`
  int64_t bytes_peak = 0;  // of memory held by the worker's process or its allocator
  double untimed_ns = 0;   // between samples, to make work ready that needs it (load)
  std::vector<std::string> notes;
  std::vector<Value> values;  // of work whose result is no time (alloc)
};

Json to_json(const Hello& hello);
Json to_json(const Prepare& prepare);
Json to_json(const Prepared& prepared);
Json to_json(const Check& check);
Json to_json(const Checked& checked);
Json to_json(const Time& time);
Json to_json(const Samples& samples);
Json to_json(const Timed& timed);

Result<Hello> parse_hello(const Json& json);
Result<Prepare> parse_prepare(const Json& json);
Result<Prepared> parse_prepared(const Json& json);
Result<Check> parse_check(const Json& json);
Result<Checked> parse_checked(const Json& json);
Result<Time> parse_time(const Json& json);
Result<Samples> parse_samples(const Json& json);
Result<Timed> parse_timed(const Json& json);

}  // namespace ridge::protocol
