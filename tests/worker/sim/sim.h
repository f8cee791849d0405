#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "worker/sdk/arena.h"
#include "worker/sdk/worker.h"

// A worker that exists only to be tested against: honest, or one that fails or cheats in the way
// that RIDGE_TEST_MODE names. More variables narrow that down:
//   RIDGE_TEST_WORK   the fault strikes only while work whose key holds this text is prepared
//   RIDGE_TEST_ONCE   a file: the fault strikes only if it can be created, so in one process only
//   RIDGE_TEST_LOG    a file: gets a line a request, "PID VERB SALT" ("-" where it has none)
//   RIDGE_TEST_CACHE  bytes of cache that the device claims (default 256 KiB)
//   RIDGE_TEST_SLEEP  milliseconds that each op takes longer
//   RIDGE_TEST_LEAST  microseconds that each op takes at least, busy
namespace sim {

struct Mode {
  std::string what = "honest";  // "exit", "transpose", …
  std::string verb;             // of "exit@prepare"; empty for a cheat
  std::string work, once, log;
  int64_t cache_bytes = 256 << 10;
  int64_t sleep_ms = 0;
  int64_t least_us = 0;
};
Mode mode_from_environment();

// What the session is doing, as the requests say: an op that cheats must know when it is timed.
struct State {
  std::atomic<bool> timing{false};
  std::atomic<bool> struck{true};  // RIDGE_TEST_WORK holds for what was prepared last
};

// The operations: gemm f32 and f64, the four streams, small models, on one thread, without any art.
class SimWorker : public ridge::sdk::Worker {
 public:
  SimWorker(const Mode& mode, const State& state) : mode_(mode), state_(state), arena_(kArena) {}
  ridge::sdk::Description describe() override;
  ridge::Result<void> supports(const ridge::Workload& work, const ridge::Settings& settings,
                               std::string_view device) override;
  ridge::Result<std::unique_ptr<ridge::sdk::Op>> prepare(const ridge::sdk::Task& task) override;

 private:
  static constexpr int64_t kArena = int64_t{64} << 30;
  const Mode& mode_;
  const State& state_;
  ridge::sdk::Arena arena_;
};

// Puts itself between the protocol's descriptors and the SDK: whatever the worker says passes
// through here and may be changed, and a fault can strike at any request. Call before serve().
void stand_between(const Mode& mode, State& state);

}  // namespace sim
