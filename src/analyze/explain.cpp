#include "analyze/explain.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "analyze/advice.h"

namespace ridge {
namespace {

// The rows that made roofs, by run and key; each row's key is made once only.
std::unordered_map<std::string, const Row*> rows_of(const std::vector<const Run*>& runs,
                                                    const std::vector<Roof>& roofs) {
  std::unordered_map<std::string, const Row*> out;
  for (const Roof& roof : roofs) out[roof.run + "|" + roof.from] = nullptr;
  for (const Run* run : runs) {
    for (const Row& row : run->rows) {
      const auto at = out.find(run->header.id + "|" + row.row_key());
      if (at != out.end()) at->second = &row;
    }
  }
  return out;
}

const Run* run_of(const std::vector<const Run*>& runs, const Roof& roof) {
  for (const Run* run : runs) {
    if (run->header.id == roof.run) return run;
  }
  return runs.back();
}

}  // namespace

Explanation explain(std::vector<const Run*> runs, const ChipDatabase& database) {
  if (runs.empty()) throw std::logic_error("explain: no run");
  std::stable_sort(runs.begin(), runs.end(), [](const Run* a, const Run* b) {
    return a->header.started_utc < b->header.started_utc;
  });
  Explanation out;
  out.chips = match_machine(database, runs.back()->header.machine);
  out.roofline = roofline(runs);
  for (const Run* run : runs) {
    std::set<std::string> devices;
    for (const Row& row : run->rows) {
      if (model_use(row.work)) {
        devices.insert(physical_device(run->header, row.worker, row.device));
      }
    }
    for (const std::string& device : devices) {
      const auto rate = published_bandwidth(device, out.chips, run->header);
      if (rate) out.roofline.published_bytes_per_s[device] = *rate;
    }
  }
  const auto from_rows = rows_of(runs, out.roofline.roofs);
  for (const Roof& roof : out.roofline.roofs) {
    const Row* from = from_rows.at(roof.run + "|" + roof.from);
    out.verdicts.push_back(
        judge(roof, out.chips, run_of(runs, roof)->header, from ? *from : Row{}));
    const Roof* read =
        find(out.roofline, Roof::Kind::memory, roof.device, roof.threads, "read", "memory");
    if (roof.kind == Roof::Kind::compute && read) {
      out.ridges.push_back(
          {roof.device, roof.threads, roof.operation, roof.rate.value / read->rate.value});
    }
  }

  // The first place of a row_key, filled from the latest run.
  std::vector<std::pair<const Run*, const Row*>> rows;
  std::unordered_map<std::string, size_t> places;
  for (const Run* run : runs) {
    for (const Row& row : run->rows) {
      const auto [at, is_new] = places.try_emplace(row.row_key(), rows.size());
      if (is_new) {
        rows.emplace_back(run, &row);
      } else {
        rows[at->second] = {run, &row};
        ++out.measured_again;
      }
    }
  }
  const Adviser adviser(out.roofline, rows);
  for (const auto& [run, row] : rows) {
    ExplainedRow explained{run, row, place(out.roofline, *run, *row), ""};
    if (explained.placement.impossible) {
      out.findings.push_back(row->row_key() + ": " + explained.placement.refused);
    }
    explained.advice = adviser.advice(*run, *row, explained.placement);
    out.rows.push_back(std::move(explained));
  }
  out.runs = std::move(runs);
  return out;
}

}  // namespace ridge
