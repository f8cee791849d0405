#include "measure/schedule.h"

#include <numeric>
#include <utility>

#include "base/random.h"

namespace ridge {

namespace {

void shuffle(std::vector<size_t>& order, TensorKey key) {  // Fisher and Yates
  for (size_t i = order.size(); i > 1; --i) {
    const auto j =
        static_cast<size_t>(random_uniform(key, static_cast<int64_t>(i)) * static_cast<double>(i));
    std::swap(order[i - 1], order[j]);
  }
}

}  // namespace

Schedule rounds_schedule(const std::vector<size_t>& rows, int rounds, int first_session,
                         uint64_t seed) {
  Schedule schedule;
  for (int round = 0; round < rounds; ++round) {
    std::vector<size_t> order = rows;
    const int session = first_session + round;
    shuffle(order, tensor_key(seed, static_cast<uint64_t>(session), 0, "order"));
    for (const size_t row : order) schedule.push_back({row, session});
  }
  return schedule;
}

Schedule grouped_round(const std::vector<std::vector<size_t>>& groups, int session, uint64_t seed) {
  std::vector<size_t> numbers(groups.size());
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  Schedule schedule;
  for (const Step& step : rounds_schedule(numbers, 1, session, seed)) {
    std::vector<size_t> order = groups[step.row];
    shuffle(order, tensor_key(seed, static_cast<uint64_t>(session), step.row, "within"));
    for (const size_t row : order) schedule.push_back({row, session});
  }
  return schedule;
}

Schedule mirrored_round(const std::vector<RowPair>& pairs, int round, uint64_t seed) {
  std::vector<size_t> numbers(pairs.size());
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  Schedule schedule;
  for (const Step& step : rounds_schedule(numbers, 1, round, seed)) {
    auto [first, second] = pairs[step.row];
    if (round % 2 == 1) std::swap(first, second);
    for (const size_t row : {first, second, second, first}) schedule.push_back({row, round});
  }
  return schedule;
}

}  // namespace ridge
