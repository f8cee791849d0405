#pragma once

#include <string>
#include <vector>

#include "measure/runner.h"
#include "paths.h"
#include "sim_fixture.h"

// Whole runs on the simulated worker.
namespace sim_test {

inline ridge::PlanQuery query_of(std::vector<ridge::SuiteItem> items, int workers = 1) {
  ridge::PlanQuery query;
  for (int i = 0; i < workers; ++i) {
    query.workers.push_back({"sim" + std::to_string(i), paths::worker()});
  }
  query.items = std::move(items);
  return query;
}

inline ridge::Effort effort_of(int rounds, double seconds, double deadline_s = kPatience) {
  ridge::Effort effort;
  effort.rounds = rounds;
  effort.seconds = seconds;
  effort.deadline_s = deadline_s;
  return effort;
}

// Visits every row once in each of `rounds` sessions, for `seconds` each.
inline std::vector<ridge::Row> visit_all(const std::vector<ridge::SuiteItem>& items,
                                         const ridge::Effort& effort, double seconds) {
  ridge::Plan plan = ridge::make_plan(query_of(items), effort);
  ridge::Schedule schedule;
  for (int session = 0; session < effort.rounds; ++session) {
    for (size_t i = 0; i < plan.rows.size(); ++i) {
      plan.rows[i].seconds = seconds;
      if (!plan.rows[i].skip) schedule.push_back({i, session});
    }
  }
  ridge::Runner runner(plan, {}, [] { return false; });
  runner.run(schedule);
  return runner.rows();
}

// One row, one visit, by a worker of that mode.
inline ridge::Row visit(const std::string& mode, const ridge::Workload& work,
                        const ridge::Settings& settings = {}, double seconds = 0.02) {
  const Environment environment{{"RIDGE_TEST_MODE", mode}};
  return visit_all({{work, settings}}, effort_of(1, 1), seconds).at(0);
}

}  // namespace sim_test
