#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure/plan.h"
#include "measure/watch.h"
#include "stats/stopping.h"
#include "store/row.h"
#include "worker/client.h"

namespace ridge {

// One visit to a row in one worker process.
struct RoundRequest {
  uint64_t salt = 1;           // fresh for every round
  bool check_first = true;     // before anything is timed; the answers after timing always are
  bool check_twin = true;      // after timing, where float64 cannot judge a model's logits
  int64_t ops_per_sample = 0;  // 0: find out
  double seconds = 1;          // of timing, warm-up included
  bool to_the_end = false;     // of those seconds, however good the samples are
};

struct RoundOutcome {
  Status status = Status::ok;
  std::string reason;
  bool worker_lost = false;  // it died, hung or broke the protocol
  std::vector<std::string> stderr_tail;

  protocol::Prepared prepared;
  CheckOutcome check;
  std::optional<double> first_call_ns;
  int64_t ops_per_sample = 1;
  std::vector<double> start_ns;  // of each sample, since the first began
  std::vector<double> ns;        // per op, the clock's cost subtracted
  int64_t first_steady = 0;      // samples before it are warm-up
  stats::Caveat caveat = stats::Caveat::none;
  bool timer_limited = false;
  bool cache_not_cold = false;
  bool fallback_timer = false;  // the device's clock is not believed; ns are the host's
  Watched watched;              // the machine meanwhile
  int64_t bytes_peak = 0;
  std::vector<std::string> notes;
  std::vector<Value> values;  // results that are no time, as the worker told them
  double timed_s = 0;         // of our wall time, between `started` and the reply
  double fill_s = 0;          // in which inputs were made
  double twin_s = 0;          // that the check by the twin took
};

// prepare, check, calibrate, time, check again, release; then the twin, if there is need of one.
RoundOutcome measure_round(Client& client, const PlannedRow& row, const Effort& effort,
                           const RoundRequest& request);

}  // namespace ridge
