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

}  // namespace ridge
