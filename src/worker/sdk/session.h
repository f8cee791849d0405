#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "worker/sdk/worker.h"

namespace ridge::sdk {

// The state behind the serve loop: answers one request at a time. It knows nothing of pipes.
class Session {
 public:
  using Emit = std::function<void(const Json& event)>;

  // `cancelled` is the id of the request to end early; another thread sets it.
  Session(Worker& worker, const std::atomic<int64_t>& cancelled);

  // The reply to one request, without its id: {"ok": true, …}, {"error": …} or {"unsupported": …}.
  // Never throws. `emit` sends an event of this request.
  Json answer(int64_t id, const Json& request, const Emit& emit);

 private:
  struct Prepared {
    std::unique_ptr<Op> op;
    int64_t copies = 1;
  };

  Json hello(const Json& request);
  Json supports(const Json& request);
  Json prepare(const Json& request);
  Json check(const Json& request);
  Json time(int64_t id, const Json& request, const Emit& emit);
  Json release(const Json& request);
  Prepared& prepared(int64_t handle);
  const Device& device(const std::string& id) const;

  Worker& worker_;
  const std::atomic<int64_t>& cancelled_;
  Description description_;
  uint64_t seed_ = 0;
  bool greeted_ = false;
  std::map<int64_t, Prepared> prepared_;
  int64_t next_handle_ = 1;
};

}  // namespace ridge::sdk
