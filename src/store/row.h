#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/flags.h"
#include "workload/value.h"
#include "workload/workload.h"

namespace ridge {

enum class Status {
  ok,
  unsupported,  // an answer, with its reason
  failed,       // crash, error, deadline, out of memory: with the cause
  incorrect,    // ran, but the answer is wrong: no rate
};
std::string_view name(Status status);
std::optional<Status> parse_status(std::string_view text);

// What was measured, over all rounds. Times are nanoseconds of one op. Unknown is nullopt.
struct TimeSummary {
  std::optional<double> median_ns;              // geometric mean of the rounds' medians
  std::optional<double> ci_low_ns, ci_high_ns;  // 95 %: where the next run will fall
  int64_t n = 0;                                // steady samples, all rounds
  int64_t rounds = 0;
  int64_t ops_per_sample = 0;
  std::vector<double> round_medians_ns;
  std::optional<double> min_ns, q1_ns, q3_ns, p90_ns, p95_ns, p99_ns, max_ns;
  std::optional<double> mad_ns, robust_cv;  // within rounds
  std::optional<double> autocorrelation, n_eff;
  int64_t outliers_mild = 0, outliers_severe = 0;
  std::optional<double> drift_percent, drift_ci_low_percent, drift_ci_high_percent;
  std::optional<double> mode_low_ns, mode_high_ns;  // where there are two
  std::optional<double> first_call_ns, prepare_ns;
  double warmup_s = 0;  // found and left out, mean of the rounds
  int64_t warmup_samples = 0;
};

struct Rate {
  std::optional<double> value, ci_low, ci_high;
  RateUnit unit = RateUnit::flop_per_s;
};

// How the answers compared with the float64 reference; those of a model too large for it with other
// work that must give the same.
struct CheckOutcome {
  enum class Verdict { passed, wrong, not_run };
  Verdict verdict = Verdict::not_run;
  int64_t elements = 0;  // compared, before and after timing
  double worst = 0;      // largest |error| / tolerance; integers: largest |error|
  std::string detail;    // of the first mismatch
  std::string against;   // "prefill of 513 tokens"; empty: float64
};
std::string_view name(CheckOutcome::Verdict verdict);

// What the machine told while the row was timed, over all rounds; nullopt where it did not. Why a
// source does not exist at all stands in the run's header.
struct RowTelemetry {
  int64_t readings = 0;
  // Of the processors that worked, in MHz.
  std::optional<double> clock_median_mhz, clock_min_mhz, clock_max_mhz;
  std::optional<double> temperature_max_celsius;
  std::optional<double> steal_percent;  // of the time of all processors
  std::optional<double> load1_max;
  std::optional<int64_t> throttle_events;
  std::optional<double> energy_j_per_op;
  std::string energy_from;  // which counters; empty without energy
};

// One line of a table: one work on one worker and device under one setting.
struct Row {
  Workload work;
  Settings settings;
  std::string worker;
  std::string device;
  Status status = Status::failed;
  std::string reason;                    // unless ok
  std::vector<std::string> stderr_tail;  // the worker's last lines, if it failed
  TimeSummary time;
  Rate rate;
  std::vector<Value> values;  // what is no time
  Cost cost;
  CheckOutcome check;
  RowTelemetry telemetry;
  std::vector<Flag> flags;
  std::string kernel;
  std::vector<std::string> notes;
  std::optional<std::string> executed_dtype;
  int64_t copies = 0;
  int64_t bytes_held = 0, bytes_peak = 0;

  std::string key() const { return work_key(work); }
  std::string row_key() const { return ridge::row_key(work, settings, worker, device); }
  bool has(Flag flag) const;
  void add(Flag flag);  // once
};

Json to_json(const Row& row);
Result<Row> parse_row(const Json& json, const std::string& where);

// Half the width of the interval as a share of the value; nullopt without an interval.
std::optional<double> relative_half_width(const Row& row);

}  // namespace ridge
