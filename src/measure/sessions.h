#pragma once

#include <functional>
#include <map>
#include <optional>

#include "measure/plan.h"
#include "worker/client.h"

namespace ridge {

// The worker processes that are alive: at most one a worker and session. The one asked for last may
// work; the others are parked: stopped, without the memory that they can give back.
class Sessions {
 public:
  Sessions(const std::vector<FoundWorker>& workers, const Effort& effort,
           std::function<bool()> interrupted);
  ~Sessions();

  // The process of that worker and session, started if need be. Sessions of another number end.
  Result<Client*> get(size_t worker, int session);
  void drop(size_t worker);  // after a failure: the next get() starts afresh
  void end_all();

 private:
  struct Live {
    int session = 0;
    Client client;
  };
  void park_others(size_t worker);

  const std::vector<FoundWorker>& workers_;
  Effort effort_;
  std::function<bool()> interrupted_;
  std::map<size_t, Live> live_;
  std::optional<size_t> awake_;
};

}  // namespace ridge
