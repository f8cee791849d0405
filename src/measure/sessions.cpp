#include "measure/sessions.h"

namespace ridge {

Sessions::Sessions(const std::vector<FoundWorker>& workers, const Effort& effort,
                   std::function<bool()> interrupted)
    : workers_(workers), effort_(effort), interrupted_(std::move(interrupted)) {}

Sessions::~Sessions() { end_all(); }

Result<Client*> Sessions::get(size_t worker, int session) {
  park_others(worker);
  if (const auto at = live_.find(worker); at != live_.end()) {
    if (at->second.session == session && at->second.client.alive()) return &at->second.client;
    at->second.client.bye();
    live_.erase(at);
  }
  auto client =
      Client::start(workers_.at(worker).file.path, effort_.seed, effort_.deadline_s, interrupted_);
  if (!client) return client.error();
  const auto [at, added] = live_.emplace(worker, Live{session, *std::move(client)});
  return &at->second.client;
}

// A worker that refuses is stopped all the same; one that dies of it is started anew when its turn
// comes.
void Sessions::park_others(size_t worker) {
  if (awake_ && *awake_ != worker) {
    if (const auto at = live_.find(*awake_); at != live_.end() && at->second.client.alive()) {
      (void)at->second.client.park(effort_.deadline_s);
    }
  }
  awake_ = worker;
}

void Sessions::drop(size_t worker) { live_.erase(worker); }

void Sessions::end_all() {
  for (auto& [worker, live] : live_) live.client.bye();
  live_.clear();
}

}  // namespace ridge
