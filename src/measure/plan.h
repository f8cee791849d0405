#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "machine/ceilings.h"
#include "store/row.h"
#include "worker/find.h"
#include "worker/protocol.h"
#include "workload/suite.h"

namespace ridge {

// How long and how exactly to measure.
struct Effort {
  int rounds = 5;              // each in a fresh worker, spread over the run
  double seconds = 100;        // of measuring, in all
  double round_target = 0.01;  // half-width of a round's median at which it may stop early
  double row_target = 0.05;    // half-width of a row's interval above which it is `imprecise`
  double deadline_s = 60;      // for any answer of a worker, beside what the work itself may take
  double most_load_s = 20;     // a model that takes longer to load takes part in one round
  uint64_t seed = 1;
};

// A worker that answered hello, or the reason why it did not.
struct FoundWorker {
  WorkerFile file;
  protocol::Hello hello;
  std::string broken;  // the reason; empty: it works
};

// Whether that device is this machine's processor: by the worker's name, or by the device's.
bool is_processor(const protocol::Hello& hello, const protocol::Device& device);

// One row to be measured. `skip` holds why it cannot be.
struct PlannedRow {
  size_t worker = 0;  // into Plan::workers
  std::string device;
  bool on_processor = false;  // what the processor's counters of energy say is of this row
  int64_t cache_bytes = 0;    // of the device: what `cold` has to exceed
  int64_t memory_bytes = 0;   // of the device, 0: unknown
  std::shared_ptr<const Ceilings> ceilings;  // of the device; null: its chip is not known
  Workload work;
  Settings settings;
  std::optional<std::string> skip;
  Status skip_status = Status::unsupported;
  std::vector<std::string> stderr_tail;  // of a worker that broke while it was asked
  int rounds = SuiteItem::kAllRounds;    // takes part in so many of the effort's
  double seconds = 0;                    // of a round, timed; set by share_time
  double slice = 0;                      // of these, if ops were short
  double op_seconds = 0;                 // as guessed beforehand
  std::string note;                      // of the row, such as why it has one round
  std::optional<size_t> beside;  // the row that this one is compared with: neither goes on alone

  int rounds_of(const Effort& effort) const {
    return in_rounds() ? std::min(rounds, effort.rounds) : 1;
  }
  // Sampled in rounds, or a piece of work that sets its own length and is measured once.
  bool in_rounds() const { return !own_seconds(work); }
};

struct Plan {
  std::vector<FoundWorker> workers;
  std::vector<PlannedRow> rows;
  Effort effort;
  std::vector<Flag> machine_flags;       // that hold for every row: on_battery
  std::function<bool()> beside_another;  // does another ridge measure here now? May be empty
  double canary_seconds = 0;             // of one canary pair
  double overhead_seconds = 0;           // guessed: all that is not timing
  double eta_seconds() const;
};

struct PlanQuery {
  std::vector<WorkerFile> workers;
  bool named = false;  // the workers were asked for, and not just found
  std::vector<SuiteItem> items;
  std::vector<std::string> devices;                // none: all
  std::function<bool(const std::string&)> wanted;  // of a row_key
  std::function<bool()> interrupted;               // may be empty
};

// Starts every worker once and asks what it is and which items it supports. One row for each item,
// worker and device; those that a worker does not support stay, with the reason.
Plan make_plan(const PlanQuery& query, const Effort& effort);

// What the machine does, roughly: enough to guess how long an op takes.
struct RoughRates {
  double flop_per_s = 1e10;
  double byte_per_s = 1e10;
  double fill_byte_per_s = 4e9;
};

inline constexpr double kLeastOps = 3;  // a round holds at least so many

// What rows of whole models have to share to be measured in one process, which loads the model
// once: worker, device, model and the form of its weights. Empty for other rows.
std::string model_group(const PlannedRow& row);

// Guesses how long ops take and shares effort.seconds among the rows that are sampled in rounds: an
// equal slice a round, but never less than three ops take. A part is kept back for further rounds.
// Work that sets its own length comes on top.
void share_time(Plan& plan, const RoughRates& rates);
// Of the next round, where `used` of `seconds` are gone and `left` of `rounds` rounds are to come:
// an equal share of what is left, but never next to nothing. A round of one cold sample, for which
// slower rows left no time, counts as much as any other.
double next_round_seconds(double seconds, double used, int left, int rounds);
// Shares `seconds` of one round among the rows by their op_seconds, which may be measured by then.
void share_round(Plan& plan, double seconds);
// What effort.seconds leaves for the rounds that every row gets.
double base_seconds(const Effort& effort);

}  // namespace ridge
