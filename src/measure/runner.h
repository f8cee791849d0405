#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "measure/assemble.h"
#include "measure/plan.h"
#include "measure/schedule.h"
#include "measure/sessions.h"
#include "store/run_file.h"

namespace ridge {

// What the runner tells while it works. Any may be empty.
struct Listener {
  // Before the first row, and after each step: seconds still to go.
  std::function<void(double eta_s, size_t steps_done, size_t steps, const std::string& now)>
      progress;
  std::function<void(size_t index)> visiting;  // whose row and samples come next
  std::function<void(const Row& row)> row;     // after each of its rounds
  std::function<void(const RoundSamples& samples)> samples;
  std::function<void(const Canary& canary)> canary;
};

struct RunTotals {
  double wall_s = 0;
  double measuring_s = 0;
  double eta_s = 0;  // as told before the first row
  bool interrupted = false;
  std::optional<double> noise_floor_percent;
};

// Measures a plan. Follows a schedule, restarts workers that were lost, and loses no round that was
// good; where time is left, rows with the widest intervals get further rounds.
class Runner {
 public:
  Runner(Plan& plan, Listener listener, std::function<bool()> interrupted);

  // The standard order: grouped_round over all rows, the same work on different workers in turn,
  // with canaries between the rounds.
  RunTotals run();
  // Another order of steps, without canaries or further rounds; the caller has set how long each
  // row's rounds take.
  RunTotals run(const Schedule& schedule);

  // A live comparison: plan.effort.rounds counts visits, two a round (mirrored_round), and its
  // seconds are shared by all visits, equally between the rows of a pair. After an interruption a
  // row may have a visit more than its last whole round.
  RunTotals compare(const std::vector<RowPair>& pairs);

  // The rows as they stand, in the plan's order.
  std::vector<Row> rows() const;

 private:
  struct Progress {
    std::vector<KeptRound> rounds;
    std::optional<RoundOutcome> failure;
    int64_t ops_per_sample = 0;
    uint64_t visits = 0;  // good or bad: no two have the same inputs
  };

  bool follow(const Schedule& schedule);  // false: interrupted
  void visit(const Step& step);
  void find_canaries();
  RoughRates sing(int session);  // measures the canary pair
  void prepare_to_run(bool canaries_between_rounds);
  int64_t ops_per_sample(size_t row) const;
  void share_what_is_left(double seconds, int left, int rounds);
  std::vector<size_t> winners() const;
  std::vector<std::vector<size_t>> by_work(const std::vector<size_t>& rows) const;
  void give_models_processes(Schedule& schedule);
  void limit_slow_loads();
  Schedule further_rounds(int session);
  Row row_of(size_t index) const;
  void tell(const std::string& now);
  double elapsed() const;
  std::optional<double> noise_floor() const;

  Plan& plan_;
  Listener listener_;
  std::function<bool()> interrupted_;
  Sessions sessions_;
  std::vector<Progress> progress_;
  std::vector<PlannedRow> canaries_;
  std::vector<int64_t> canary_ops_;
  uint64_t songs_ = 0;
  std::vector<std::vector<double>> canary_medians_;
  double began_s_ = 0;
  double measuring_s_ = 0, shared_s_ = 0;  // in all; of rows that share the effort's seconds
  double told_eta_s_ = 0;
  size_t steps_done_ = 0, steps_ = 0;
  int model_session_;  // of the last process that was a model's own
  // By model_group: seconds that each process took to load it, and the last such process.
  std::map<std::string, std::vector<double>> loads_;
  std::map<std::string, int> loaded_session_;
};

}  // namespace ridge
