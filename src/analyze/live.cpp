#include "analyze/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace ridge {
namespace {

constexpr size_t kLeastRounds = 3;

// The geometric mean of each round's two visits; a visit that its round was cut short after is left
// out.
std::vector<double> whole_rounds(const Row& row, size_t rounds) {
  std::vector<double> out;
  for (size_t i = 0; i < rounds; ++i) {
    out.push_back(
        std::sqrt(row.time.round_medians_ns[2 * i] * row.time.round_medians_ns[2 * i + 1]));
  }
  return out;
}

size_t rounds_of(const Row& a, const Row& b) {
  return std::min(a.time.round_medians_ns.size(), b.time.round_medians_ns.size()) / 2;
}

double geometric_mean(std::span<const double> values) {
  double logs = 0;
  for (const double value : values) logs += std::log(value);
  return std::exp(logs / static_cast<double>(values.size()));
}

Rate rate_at(const Row& row, double ns) {
  const double work = row.cost.rate_work() * 1e9;
  Rate rate{.unit = row.cost.rate_unit};
  if (work > 0) rate.value = work / ns;
  return rate;
}

std::string trouble(const Row& a, const Row& b) {
  std::string out;
  for (const auto& [side, row] : {std::pair("A", &a), std::pair("B", &b)}) {
    if (row->status == Status::ok) continue;
    out +=
        fmt::format("{}{}: {}: {}", out.empty() ? "" : "; ", side, name(row->status), row->reason);
  }
  return out;
}

LiveRow pair_of(const Row& a, const Row& b) {
  LiveRow out{.key_a = a.row_key(), .key_b = b.row_key()};
  out.rate_a.unit = a.cost.rate_unit;
  out.rate_b.unit = b.cost.rate_unit;
  out.reason = trouble(a, b);
  for (const Status status : {a.status, b.status}) {
    // A side that cannot is a lesser matter than one that fails.
    out.status = std::max(out.status, status);
  }
  if (!out.reason.empty()) return out;
  const size_t rounds = rounds_of(a, b);
  out.rounds = static_cast<int64_t>(rounds);
  if (rounds == 0) {
    out.reason = "no whole round";
    return out;
  }
  out.a_ns = geometric_mean(whole_rounds(a, rounds));
  out.b_ns = geometric_mean(whole_rounds(b, rounds));
  out.rate_a = rate_at(a, *out.a_ns);
  out.rate_b = rate_at(b, *out.b_ns);
  out.speedup = live_speedup(a, b);
  if (!out.speedup) {
    out.reason = rounds < kLeastRounds ? fmt::format("{} whole round{}, and a verdict takes {}",
                                                     rounds, rounds == 1 ? "" : "s", kLeastRounds)
                                       : "a time is not positive";
  }
  return out;
}

std::string text_of(const Json* json, std::string_view member) {
  const Json* found = json && json->is_object() ? json->find(member) : nullptr;
  return found && found->is_string() ? found->as_string() : "";
}

const Json* live_of(const Header& header) {
  return header.settings.is_object() ? header.settings.find("live") : nullptr;
}

}  // namespace

std::vector<LiveRow> judge_live(std::span<const Row> a, std::span<const Row> b,
                                const stats::SpeedRule& rule) {
  std::vector<LiveRow> rows;
  std::vector<double> p_values;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    rows.push_back(pair_of(a[i], b[i]));
    if (rows.back().speedup) p_values.push_back(rows.back().speedup->p_value);
  }
  const std::vector<double> adjusted = stats::holm(p_values);
  size_t next = 0;
  for (LiveRow& row : rows) {
    if (!row.speedup) continue;
    row.adjusted_p = adjusted[next++];
    row.band = stats::band(*row.speedup, rule);
    row.verdict = stats::judge(*row.speedup, row.adjusted_p, row.band, rule);
  }
  return rows;
}

std::optional<stats::Speedup> live_speedup(const Row& a, const Row& b) {
  const size_t rounds = rounds_of(a, b);
  return stats::paired_speedup(whole_rounds(a, rounds), whole_rounds(b, rounds));
}

bool in_turn(const Header& a, const Header& b) {
  const std::string one = live_side(a), other = live_side(b);
  return !one.empty() && !other.empty() && one != other &&
         text_of(live_of(a), "id") == text_of(live_of(b), "id");
}

std::string live_side(const Header& header) { return text_of(live_of(header), "side"); }

Result<std::vector<LiveRow>> judge_live(const Run& a, const Run& b, const stats::SpeedRule& rule) {
  if (live_side(a.header) != "A") return Error{a.path + ": is not side A of a live comparison"};
  if (live_side(b.header) != "B") return Error{b.path + ": is not side B of a live comparison"};
  if (text_of(live_of(a.header), "id") != text_of(live_of(b.header), "id")) {
    return Error{fmt::format("{} and {} are sides of different live comparisons", a.path, b.path)};
  }
  if (a.header.row_keys.size() != b.header.row_keys.size()) {
    return Error{fmt::format("{} and {} do not name the same number of rows", a.path, b.path)};
  }
  // A pair that was not measured to the end of a round on both sides is no pair.
  const auto by_key = [](const Run& run) {
    std::map<std::string, const Row*> out;
    for (const Row& row : run.rows) out[row.row_key()] = &row;
    return out;
  };
  const auto of_a = by_key(a), of_b = by_key(b);
  std::vector<Row> left, right;
  for (size_t i = 0; i < a.header.row_keys.size(); ++i) {
    const auto at_a = of_a.find(a.header.row_keys[i]), at_b = of_b.find(b.header.row_keys[i]);
    if (at_a == of_a.end() || at_b == of_b.end()) continue;
    left.push_back(*at_a->second);
    right.push_back(*at_b->second);
  }
  return judge_live(left, right, rule);
}

}  // namespace ridge
