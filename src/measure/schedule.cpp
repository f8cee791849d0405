#include "measure/schedule.h"

#include <utility>

#include "base/random.h"

namespace ridge {

Schedule rounds_schedule(const std::vector<size_t>& rows, int rounds, int first_session,
                         uint64_t seed) {
  Schedule schedule;
  for (int round = 0; round < rounds; ++round) {
    std::vector<size_t> order = rows;
    const int session = first_session + round;
    const TensorKey key = tensor_key(seed, static_cast<uint64_t>(session), 0, "order");
    for (size_t i = order.size(); i > 1; --i) {  // Fisher and Yates
      const auto j = static_cast<size_t>(random_uniform(key, static_cast<int64_t>(i)) *
                                         static_cast<double>(i));
      std::swap(order[i - 1], order[j]);
    }
    for (const size_t row : order) schedule.push_back({row, session});
  }
  return schedule;
}

}  // namespace ridge
