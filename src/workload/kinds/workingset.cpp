#include "workload/kinds/workingset.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/units.h"

namespace ridge {
namespace {

constexpr int64_t kLeastHops = 1024;
constexpr int64_t kMostBytes = int64_t{1} << 36;  // `end` is an int32

bool only_small_primes(int64_t n) {
  for (const int64_t prime : {2, 3, 5, 7}) {
    while (n % prime == 0) n /= prime;
  }
  return n == 1;
}

}  // namespace

int64_t WorkingSet::hops() const { return std::max(lines() + lines() / 8, kLeastHops) + 1; }

uint64_t Ring::after(uint64_t at, int64_t hops) const {
  // i -> factor·i + offset is the walk of 2^bit steps; composed with itself it is twice as long.
  uint64_t factor = a, offset = c, position = at;
  for (auto left = static_cast<uint64_t>(hops); left > 0; left >>= 1) {
    if (left & 1) position = (factor * position + offset) % lines;
    offset = (factor * offset + offset) % lines;
    factor = factor * factor % lines;
  }
  return position;
}

Ring ring_of(const WorkingSet& set, const InputSource& inputs) {
  const TensorKey key = inputs.key("ring");
  const auto lines = static_cast<uint64_t>(set.lines());
  // The step of `a`: every prime of the number of lines, and 4 where it has that.
  uint64_t step = lines % 4 == 0 ? 4 : lines % 2 == 0 ? 2 : 1;
  for (const uint64_t prime : {3, 5, 7}) {
    if (lines % prime == 0) step *= prime;
  }
  Ring ring{lines, 1, 1};
  // A multiplier around lines·(0.25 to 0.75): neighbours in the walk lie far apart.
  const uint64_t steps = std::max<uint64_t>(1, lines / step);
  const auto chosen =
      static_cast<uint64_t>((0.25 + 0.5 * random_uniform(key, 0)) * static_cast<double>(steps));
  ring.a = (1 + std::max<uint64_t>(1, chosen) * step) % lines;
  ring.c = static_cast<uint64_t>(random_uniform(key, 1) * static_cast<double>(lines)) | 1;
  while (std::gcd(ring.c, lines) != 1) ring.c += 2;
  ring.c %= lines;
  return ring;
}

Result<void> validate(const WorkingSet& set) {
  if (set.bytes < 1024 || set.bytes > kMostBytes || set.bytes % 256 != 0) {
    return Error{fmt::format(
        "workingset: bytes must be a multiple of 256 between 1 KiB and 64 GiB, found {}",
        set.bytes)};
  }
  if (set.op == WorkingSet::Op::chase && !only_small_primes(set.lines())) {
    return Error{fmt::format(
        "workingset: a chase needs 64-byte lines in a number whose only primes are 2, 3, 5 and 7 "
        "(such as 4, 5, 6 or 7 times a power of two); {} bytes are {} lines",
        set.bytes, set.lines())};
  }
  return {};
}

std::string operation(const WorkingSet& set) { return std::string(name(set.op)); }

std::string work_key(const WorkingSet& set) {
  return fmt::format("workingset/{}/{}", name(set.op), bytes_key(set.bytes));
}

Cost cost(const WorkingSet& set, const Settings& settings) {
  if (set.op == WorkingSet::Op::read) return cost(set.as_stream(), settings);
  Cost cost;
  cost.rate_unit = RateUnit::access_per_s;
  cost.count = static_cast<double>(set.hops());
  cost.bytes_read = cost.count * WorkingSet::line;
  cost.footprint = static_cast<double>(set.bytes);
  return cost;
}

std::vector<TensorSpec> tensors(const WorkingSet& set) {
  if (set.op == WorkingSet::Op::read) return tensors(set.as_stream());
  return {{"end", TensorSpec::Role::output, DType::int32, {1}}};
}

std::vector<int64_t> elements_to_check(const WorkingSet& set, std::string_view tensor, int64_t want,
                                       TensorKey choice) {
  if (set.op == WorkingSet::Op::read) {
    return elements_to_check(set.as_stream(), tensor, want, choice);
  }
  if (tensor == "end") return {0};
  return {};
}

std::vector<Expected> expected(const WorkingSet& set, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  if (set.op == WorkingSet::Op::read) return expected(set.as_stream(), inputs, tensor, elements);
  if (tensor != "end") return {};
  const auto end = static_cast<double>(ring_of(set, inputs).after(0, set.hops()));
  return std::vector<Expected>(elements.size(), Expected{end, 0});
}

}  // namespace ridge
