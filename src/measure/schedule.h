#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ridge {

// One visit to a row. All steps with the same worker and session share a worker process; a new
// session is a new process. Another order of steps (A B B A) is another schedule, nothing more.
struct Step {
  size_t row = 0;
  int session = 0;
};
using Schedule = std::vector<Step>;

// Every row once a round, in an order shuffled anew for each round, a fresh session a round.
Schedule rounds_schedule(const std::vector<size_t>& rows, int rounds, int first_session,
                         uint64_t seed);

// One round of rows that come in groups: the same work on different workers. A group's rows follow
// each other, so that a machine that drifts treats them alike; groups and the order within each are
// shuffled anew for each session.
Schedule grouped_round(const std::vector<std::vector<size_t>>& groups, int session, uint64_t seed);

// Two rows that are compared with each other, as indices into the plan; never of one worker.
struct RowPair {
  size_t a = 0, b = 0;
};

// One round of a live comparison: each pair is visited A B B A, in odd rounds B A A B, so that a
// drift within the round and what comes first both cancel. The pairs' order is shuffled anew.
Schedule mirrored_round(const std::vector<RowPair>& pairs, int round, uint64_t seed);

}  // namespace ridge
