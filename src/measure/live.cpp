#include "measure/live.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace ridge {
namespace {

using Place = std::tuple<size_t, std::string, std::string>;  // item, worker, device

// Where each row of one side belongs; rows of a worker and device are in the order of the items.
std::vector<std::pair<Place, size_t>> places(const Plan& plan, const LiveSide& side, size_t first) {
  std::map<std::pair<size_t, std::string>, size_t> counts;
  std::vector<std::pair<Place, size_t>> out;
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    const PlannedRow& row = plan.rows[i];
    const size_t item = counts[{row.worker, row.device}]++;
    const bool broken = !plan.workers[row.worker].broken.empty();
    out.push_back({{item, side.names_worker ? "" : plan.workers[row.worker].file.name,
                    side.names_device || broken ? "" : row.device},
                   first + i});
  }
  return out;
}

std::string key_of(const Plan& plan, size_t index) {
  const PlannedRow& row = plan.rows[index];
  return row_key(row.work, row.settings, plan.workers[row.worker].file.name, row.device);
}

// The other side's row for the same item; a broken worker, which has no device, suits any.
const size_t* partner(const Place& place, const std::vector<std::pair<Place, size_t>>& others) {
  const auto& [item, worker, device] = place;
  for (const auto& [other, index] : others) {
    const auto& [its_item, its_worker, its_device] = other;
    if (item == its_item && worker == its_worker &&
        (device == its_device || device.empty() || its_device.empty())) {
      return &index;
    }
  }
  return nullptr;
}

// In place of a partner that does not exist.
size_t add_absent(Plan& plan, size_t like, size_t worker) {
  PlannedRow row = plan.rows[like];
  row.worker = worker;
  row.skip = "this side has no such worker and device";
  row.skip_status = Status::unsupported;
  plan.rows.push_back(std::move(row));
  return plan.rows.size() - 1;
}

// A plan of only the rows that pairs name, in their order: first all of A, then all of B.
LivePlan only_paired(Plan&& plan, const std::vector<RowPair>& pairs) {
  LivePlan out;
  for (const RowPair& pair : pairs) out.plan.rows.push_back(plan.rows[pair.a]);
  for (const RowPair& pair : pairs) out.plan.rows.push_back(plan.rows[pair.b]);
  for (size_t i = 0; i < pairs.size(); ++i) out.pairs.push_back({i, i + pairs.size()});
  out.plan.workers = std::move(plan.workers);
  out.plan.effort = plan.effort;
  return out;
}

// Nothing is timed of a row whose partner cannot be.
void skip_what_is_alone(LivePlan& live) {
  for (const auto& [a, b] : live.pairs) {
    for (const auto& [one, other] : {std::pair(a, b), std::pair(b, a)}) {
      PlannedRow& row = live.plan.rows[one];
      if (row.skip) continue;
      if (!row.in_rounds()) {
        row.skip = "sets its own length: it cannot be visited in turn with another";
      } else if (live.plan.rows[other].skip) {
        row.skip = "not measured: the other side cannot run it";
      }
    }
  }
}

}  // namespace

LivePlan make_live_plan(const LiveSide& a, const LiveSide& b, const Effort& effort) {
  LiveSide sides[2] = {a, b};
  const auto wanted = std::exchange(sides[0].query.wanted, nullptr);
  sides[1].query.wanted = nullptr;
  Plan plan = make_plan(sides[0].query, effort);
  const size_t rows_of_a = plan.rows.size(), workers_of_a = plan.workers.size();
  const auto places_a = places(plan, a, 0);
  Plan other = make_plan(sides[1].query, effort);
  const auto places_b = places(other, b, rows_of_a);
  for (PlannedRow& row : other.rows) {
    row.worker += workers_of_a;
    plan.rows.push_back(std::move(row));
  }
  for (FoundWorker& worker : other.workers) plan.workers.push_back(std::move(worker));

  const size_t workers_found = plan.workers.size();
  const auto worker_like = [&](size_t row, bool of_b) {
    const std::string name = plan.workers[plan.rows[row].worker].file.name;
    const size_t begin = of_b ? workers_of_a : 0, end = of_b ? workers_found : workers_of_a;
    if (a.names_worker && begin < end) return begin;
    for (size_t i = begin; i < plan.workers.size(); ++i) {
      if ((i < end || i >= workers_found) && plan.workers[i].file.name == name) return i;
    }
    plan.workers.push_back({{name, ""}, {}, ""});
    return plan.workers.size() - 1;
  };
  std::vector<RowPair> pairs;
  std::set<size_t> taken;
  for (const auto& [place, index] : places_a) {
    const size_t* found = partner(place, places_b);
    if (found) taken.insert(*found);
    pairs.push_back({index, found ? *found : add_absent(plan, index, worker_like(index, true))});
  }
  for (const auto& [place, index] : places_b) {
    if (taken.contains(index)) continue;
    pairs.push_back({add_absent(plan, index, worker_like(index, false)), index});
  }
  const auto same_keys = [&](const RowPair& pair) {
    return key_of(plan, pair.a) == key_of(plan, pair.b);
  };
  std::stable_partition(pairs.begin(), pairs.end(),
                        [&](const RowPair& pair) { return !same_keys(pair); });
  std::set<std::string> seen_a, seen_b;
  std::erase_if(pairs, [&](const RowPair& pair) {
    const std::string key_a = key_of(plan, pair.a), key_b = key_of(plan, pair.b);
    if (wanted && !wanted(key_a) && !wanted(key_b)) return true;
    if (seen_a.contains(key_a) || seen_b.contains(key_b)) return true;
    seen_a.insert(key_a);
    seen_b.insert(key_b);
    return false;
  });
  LivePlan live = only_paired(std::move(plan), pairs);
  skip_what_is_alone(live);
  return live;
}

}  // namespace ridge
