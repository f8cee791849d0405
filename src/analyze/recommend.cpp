#include "analyze/recommend.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/dtype.h"

namespace ridge {
namespace {

std::string dtype_text(const Row& row) {
  const auto dtype = dtype_of(row.work);
  return dtype ? std::string(name(*dtype)) : "";
}

std::string job_of(const Row& row) {
  return fmt::format("{} {}/{}", key_without_dtype(row), name(row.settings.cache),
                     name(row.settings.timing));
}

// What makes a candidate another one; the form and the threads are its own business.
auto way(const Member& m) {
  return std::tuple(m.run->header.machine_key, m.row->worker, m.row->device, dtype_text(*m.row));
}

std::string place_of(const Member& m) {
  return fmt::format("{}:{} of {}", m.row->worker, m.row->device, m.run->header.machine_key);
}

}  // namespace

std::string describe(const Member& m, bool with_machine) {
  const std::string dtype = dtype_text(*m.row);
  const std::string place =
      with_machine ? place_of(m) : fmt::format("{}:{}", m.row->worker, m.row->device);
  std::string text = dtype.empty() ? place : fmt::format("{} on {}", dtype, place);
  if (m.row->settings.form == Form::packed) text += ", packed";
  if (!m.row->settings.backend.empty()) text += ", " + m.row->settings.backend;
  if (m.row->settings.threads > 0) text += fmt::format(", {} threads", m.row->settings.threads);
  return text;
}

std::vector<Recommendation> recommend(const std::vector<Given>& given) {
  std::map<std::string, size_t> index;
  std::vector<std::pair<std::string, std::vector<Member>>> jobs;
  for (const Given& one : given) {
    for (const Run& run : one.runs) {
      for (const Row& row : run.rows) {
        if (row.status != Status::ok || !row.time.median_ns) continue;
        const auto [at, added] = index.emplace(job_of(row), jobs.size());
        if (added) jobs.push_back({at->first, {}});
        jobs[at->second].second.push_back({&run, &row});
      }
    }
  }
  std::vector<Recommendation> out;
  for (auto& [job, members] : jobs) {
    std::stable_sort(members.begin(), members.end(), [](const Member& x, const Member& y) {
      return *x.row->time.median_ns < *y.row->time.median_ns;
    });
    const auto next = std::find_if(
        members.begin(), members.end(),
        [&, &first = members.front()](const Member& m) { return way(m) != way(first); });
    if (next == members.end()) continue;
    Recommendation found{job, members.front(), *next, 1, {}, stats::SpeedVerdict::unclear};
    found.margin = *next->row->time.median_ns / *found.best.row->time.median_ns;
    found.speedup = stats::independent_speedup(next->row->time.round_medians_ns,
                                               found.best.row->time.round_medians_ns);
    out.push_back(std::move(found));
  }
  std::vector<double> p_values;
  p_values.reserve(out.size());
  for (const auto& r : out) p_values.push_back(r.speedup ? r.speedup->p_value : 1);
  const auto adjusted = stats::holm(p_values);
  for (size_t i = 0; i < out.size(); ++i) {
    if (!out[i].speedup) continue;
    out[i].verdict = stats::judge(*out[i].speedup, adjusted[i], stats::band(*out[i].speedup));
  }
  return out;
}

SupportMatrix support(const std::vector<Given>& given) {
  SupportMatrix out;
  std::map<std::string, size_t> columns, rows;
  const auto place_in = [](std::map<std::string, size_t>& index, std::vector<std::string>& names,
                           const std::string& label) {
    const auto [at, added] = index.emplace(label, names.size());
    if (added) names.push_back(label);
    return at->second;
  };
  for (const Given& one : given) {
    for (const Run& run : one.runs) {
      for (const Row& row : run.rows) {
        const size_t c = place_in(columns, out.columns, place_of({&run, &row}));
        const size_t r =
            place_in(rows, out.rows, fmt::format("{} {}", kind(row.work), operation(row.work)));
        if (out.cells.size() <= r) out.cells.resize(r + 1);
        if (out.cells[r].size() <= c) out.cells[r].resize(c + 1);
        auto& cell = out.cells[r][c];
        if (!cell) cell.emplace();
        switch (row.status) {
          case Status::ok: ++cell->ok; break;
          case Status::unsupported: ++cell->unsupported; break;
          case Status::failed: ++cell->failed; break;
          case Status::incorrect: ++cell->incorrect; break;
        }
        if (row.status != Status::ok && cell->reason.empty()) cell->reason = row.reason;
      }
    }
  }
  for (auto& cells : out.cells) cells.resize(out.columns.size());
  return out;
}

}  // namespace ridge
