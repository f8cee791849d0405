#include "store/row.h"

#include <algorithm>
#include <array>

namespace ridge {
namespace {
constexpr std::array<std::string_view, 4> kStatus = {"ok", "unsupported", "failed", "incorrect"};
constexpr std::array<std::string_view, 3> kVerdict = {"passed", "wrong", "not_run"};
}  // namespace

std::string_view name(Status status) { return kStatus.at(static_cast<size_t>(status)); }

std::optional<Status> parse_status(std::string_view text) {
  const auto at = std::find(kStatus.begin(), kStatus.end(), text);
  if (at == kStatus.end()) return std::nullopt;
  return static_cast<Status>(at - kStatus.begin());
}

std::string_view name(CheckOutcome::Verdict verdict) {
  return kVerdict.at(static_cast<size_t>(verdict));
}

bool Row::has(Flag flag) const {
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

void Row::add(Flag flag) {
  if (!has(flag)) flags.push_back(flag);
}

std::optional<double> relative_half_width(const Row& row) {
  const auto& [value, low, high, unit] = row.rate;
  if (!value || !low || !high || *value <= 0) return std::nullopt;
  return (*high - *low) / 2 / *value;
}

}  // namespace ridge
