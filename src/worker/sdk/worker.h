#pragma once

// The one header that the author of a worker includes. Implement Worker and Op, and
//
//   int main(int argc, char** argv) { MyWorker worker; return ridge::sdk::serve(argc, argv,
//   worker); }
//
// gives arguments, the serve loop, input generation, the rotation that keeps caches cold, timing
// loops, streaming and cancelling. Operands in host memory: derive from HostOp (sdk/host_op.h).

#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "worker/protocol.h"
#include "workload/workload.h"

namespace ridge::sdk {

using protocol::Device;

struct Description {
  std::string name;                                            // "cpu"
  std::vector<std::pair<std::string, std::string>> libraries;  // name, version: as they run
  std::vector<Device> devices;
};

// What prepare is asked for. The SDK has chosen `copies` from the cache mode and the device's
// cache.
struct Task {
  Workload work;
  Settings settings;
  std::string device;
  int64_t copies = 1;
  uint64_t seed = 0;  // of all inputs: what does not follow the salt (a model) can be made already
};

// What there is to say of a prepared op.
struct OpInfo {
  std::string kernel;  // what the library chose: "brgemm:avx512_core_bf16"
  int64_t bytes_held = 0;
  std::vector<std::string> notes;
  std::optional<std::string> executed_dtype;  // where it is not the dtype asked for
  std::optional<std::string> backend;         // which way "" came to, where there are several
  std::vector<Value> values;                  // of work whose result is no time
  // The most that a library's own allocator has held; none: the process's memory counts.
  std::optional<int64_t> bytes_peak = {};
};

// One prepared piece of work on `copies` sets of tensors, numbered from 0. An exception thrown from
// any of these becomes the request's error, with its text.
class Op {
 public:
  virtual ~Op() = default;

  // Makes the inputs of copy `inputs.copy` anew and poisons its outputs (with NaN, or a pattern
  // that no answer has). What many copies can share may be left to the wait() that follows the
  // last.
  virtual void fill(const InputSource& inputs) = 0;

  // Elements of a tensor (an output, an input, or a tap inside) of one copy, as float64.
  virtual std::vector<double> read(std::string_view tensor, int64_t copy,
                                   std::span<const int64_t> elements) = 0;

  // Called before each sample with the copy that its first op will use, and not timed: for work
  // that has to be made ready every time (load).
  virtual void before(int64_t copy) { (void)copy; }

  // Starts the op on one copy. It may return before the op is done.
  virtual void run(int64_t copy) = 0;

  // Returns when all that was started is done.
  virtual void wait() {}

  // Nanoseconds that the ops between the last two waits took on the device's own clock; negative:
  // the device has none.
  virtual double device_ns() { return -1; }

  virtual OpInfo info() const { return {}; }
};

class Worker {
 public:
  virtual ~Worker() = default;
  virtual Description describe() = 0;
  // ok, or the reason why not: one line for a person.
  virtual Result<void> supports(const Workload& work, const Settings& settings,
                                std::string_view device) = 0;
  // Called only for what is supported. The inputs are not filled yet.
  virtual Result<std::unique_ptr<Op>> prepare(const Task& task) = 0;
  // Frees what can be freed and stops spinning threads: while another worker is measured, or where
  // memory is too short for the next work. Prepared ops go on after.
  virtual void park() {}
};

// Speaks the protocol on stdin and stdout until the peer goes. Returns the exit code of main.
int serve(int argc, char** argv, Worker& worker);

// Thrown by describe(): nothing is broken, but the worker cannot work here. Its rows are
// unsupported, where any other exception makes them failed.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// serve() for a worker that cannot work here: the reason is the answer to hello.
int refuse(int argc, char** argv, const std::string& why);

// ok where the version of a library that is loaded is the one that this program was compiled
// against; the error says both and what to do. Asked before anything else of a library whose binary
// interface changes from version to version: its wrong numbers look like any others.
Result<void> same_version(std::string_view library, std::string_view compiled,
                          std::string_view loaded);

}  // namespace ridge::sdk
