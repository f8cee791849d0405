#include "measure/assemble.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "measure/peaks.h"
#include "measure/values.h"
#include "stats/quantile.h"
#include "stats/row.h"
#include "stats/steady.h"
#include "stats/summary.h"

namespace ridge {
namespace {

constexpr double kManyOutliers = 0.05;

struct Steady {
  std::vector<double> at_s;  // of all rounds, one behind the other
  std::vector<double> pooled;
  std::vector<std::span<const double>> rounds;
  std::vector<std::span<const double>> times;
};

Steady steady_part(const std::vector<KeptRound>& rounds) {
  Steady out;
  size_t total = 0;
  for (const KeptRound& round : rounds) total += round.outcome.ns.size();
  out.at_s.reserve(total);  // the spans below point into these
  out.pooled.reserve(total);
  for (const KeptRound& round : rounds) {
    const RoundOutcome& o = round.outcome;
    const size_t begin = out.pooled.size();
    for (auto i = static_cast<size_t>(o.first_steady); i < o.ns.size(); ++i) {
      out.pooled.push_back(o.ns[i]);
      out.at_s.push_back(round.at_s + o.start_ns[i] * 1e-9);
    }
    const size_t count = out.pooled.size() - begin;
    if (count == 0) continue;
    out.rounds.emplace_back(out.pooled.data() + begin, count);
    out.times.emplace_back(out.at_s.data() + begin, count);
  }
  return out;
}

// A machine's speed wanders by some tenths of a percent for ever: a round without a steady part
// counts as such only where what is left of it moves by more than `matters`.
bool still_moving(const RoundOutcome& o, double matters) {
  if (o.caveat != stats::Caveat::not_steady) return false;
  const auto kept = std::span(o.ns).subspan(static_cast<size_t>(o.first_steady));
  const auto change = stats::change_of_halves(kept);
  return !change || std::fabs(*change) > matters;
}

// Spread and correlation are those within rounds; a process's own bias is in the interval already.
void describe_samples(const Steady& steady, TimeSummary& time) {
  if (const auto all = stats::summarize(steady.pooled)) {
    time.n = all->n;
    time.min_ns = all->min;
    time.q1_ns = all->q1;
    time.q3_ns = all->q3;
    time.p90_ns = all->p90;
    time.p95_ns = all->p95;
    time.p99_ns = all->p99;
    time.max_ns = all->max;
  }
  std::vector<double> mads, cvs, correlations;
  double n_eff = 0;
  for (const auto round : steady.rounds) {
    const auto summary = stats::summarize(round);
    if (!summary) continue;
    mads.push_back(summary->mad);
    cvs.push_back(summary->robust_cv);
    correlations.push_back(summary->autocorrelation);
    n_eff += summary->n_eff;
    time.outliers_mild += summary->outliers.mild;
    time.outliers_severe += summary->outliers.extreme;
  }
  time.mad_ns = stats::median(mads);
  time.robust_cv = stats::median(cvs);
  time.autocorrelation = stats::median(correlations);
  time.n_eff = n_eff;
}

// The row's number, its interval, and what the samples say against it.
void estimate(const Steady& steady, int not_steady, double target, Row& row) {
  TimeSummary& time = row.time;
  std::vector<stats::RoundSeries> series;
  for (size_t i = 0; i < steady.rounds.size(); ++i) {
    series.push_back({steady.rounds[i], steady.times[i]});
    time.round_medians_ns.push_back(*stats::median(steady.rounds[i]));
  }
  const auto estimate = stats::estimate_row(series, not_steady, target);
  if (!estimate) return;
  time.median_ns = estimate->value;
  if (const auto& interval = estimate->between_rounds) {
    time.ci_low_ns = interval->lo;
    time.ci_high_ns = interval->hi;
    if ((interval->hi - interval->lo) / 2 > target * estimate->value) row.add(Flag::imprecise);
  }
  switch (estimate->caveat) {
    case stats::Caveat::none: break;
    case stats::Caveat::few_samples: row.add(Flag::few_samples); break;
    case stats::Caveat::autocorrelated: row.add(Flag::autocorrelated); break;
    case stats::Caveat::imprecise: row.add(Flag::imprecise); break;
    case stats::Caveat::not_steady: row.add(Flag::not_steady); break;
    case stats::Caveat::bimodal: row.add(Flag::bimodal); break;
  }
  if (const auto& change =
          estimate->drift.across ? estimate->drift.across : estimate->drift.within) {
    time.drift_percent = 100 * change->value;
    time.drift_ci_low_percent = 100 * change->interval.lo;
    time.drift_ci_high_percent = 100 * change->interval.hi;
  }
  // Two speeds unevenly spread over the run look like drift as well.
  if (estimate->drift.flagged && !estimate->modes) row.add(Flag::drift);
  if (estimate->modes) {
    time.mode_low_ns = estimate->modes->modes.fast.median;
    time.mode_high_ns = estimate->modes->modes.slow.median;
    row.add(Flag::bimodal);
  }
}

// One bad round of five hardly moves the number: what the machine did is the row's if it did it in
// more than a quarter of them.
void add_machine_flags(const std::vector<KeptRound>& rounds, Row& row) {
  struct Rule {
    bool Watched::*seen;
    Flag flag;
  };
  constexpr Rule kRules[] = {{&Watched::contended, Flag::contended},
                             {&Watched::throttled_power, Flag::throttled_power},
                             {&Watched::throttled_thermal, Flag::throttled_thermal},
                             {&Watched::clock_idle, Flag::clock_idle},
                             {&Watched::low_power_mode, Flag::low_power_mode},
                             {&Watched::on_battery, Flag::on_battery}};
  for (const Rule& rule : kRules) {
    const auto seen = std::count_if(rounds.begin(), rounds.end(), [&](const KeptRound& round) {
      return round.outcome.watched.*rule.seen;
    });
    if (4 * static_cast<size_t>(seen) > rounds.size()) row.add(rule.flag);
  }
  for (const KeptRound& round : rounds) {
    if (round.outcome.watched.swapping) row.add(Flag::swapping);
  }
}

using Told = std::optional<double> RowTelemetry::*;
std::vector<double> told(const std::vector<KeptRound>& rounds, Told what) {
  std::vector<double> out;
  for (const KeptRound& round : rounds) {
    if (const auto& value = round.outcome.watched.telemetry.*what) out.push_back(*value);
  }
  return out;
}

// Medians of rounds, and the extremes of all.
void add_telemetry(const std::vector<KeptRound>& rounds, RowTelemetry& row) {
  for (const KeptRound& round : rounds) {
    const RowTelemetry& one = round.outcome.watched.telemetry;
    row.readings += one.readings;
    if (one.throttle_events) {
      row.throttle_events = row.throttle_events.value_or(0) + *one.throttle_events;
    }
  }
  for (const Told what : {&RowTelemetry::clock_median_mhz, &RowTelemetry::steal_percent}) {
    row.*what = stats::median(told(rounds, what));
  }
  for (const Told what : {&RowTelemetry::clock_max_mhz, &RowTelemetry::temperature_max_celsius,
                          &RowTelemetry::load1_max}) {
    const auto all = told(rounds, what);
    if (!all.empty()) row.*what = *std::max_element(all.begin(), all.end());
  }
  const auto slow = told(rounds, &RowTelemetry::clock_min_mhz);
  if (!slow.empty()) row.clock_min_mhz = *std::min_element(slow.begin(), slow.end());
  // Rounds whose counters did not agree tell nothing; most have to.
  const auto energy = told(rounds, &RowTelemetry::energy_j_per_op);
  if (2 * energy.size() > rounds.size()) {
    row.energy_j_per_op = stats::median(energy);
    row.energy_from = Watch::telemetry().origins().energy.value.value_or("");
  }
}

void add_round_facts(const std::vector<KeptRound>& rounds, Row& row) {
  double warmup_s = 0;
  for (const auto& [o, at_s] : rounds) {
    row.time.rounds += 1;
    row.time.warmup_samples += o.first_steady;
    for (int64_t i = 0; i < o.first_steady; ++i) {
      warmup_s += o.ns[static_cast<size_t>(i)] * static_cast<double>(o.ops_per_sample) * 1e-9;
    }
    if (o.timer_limited) row.add(Flag::timer_limited);
    if (o.cache_not_cold) row.add(Flag::cache_not_cold);
    if (o.fallback_timer) row.add(Flag::fallback_timer);
    row.bytes_peak = std::max(row.bytes_peak, o.bytes_peak);
    row.check.elements += o.check.elements;
    row.check.worst = std::max(row.check.worst, o.check.worst);
    if (row.check.verdict == CheckOutcome::Verdict::not_run) row.check.verdict = o.check.verdict;
    if (row.check.against.empty()) row.check.against = o.check.against;
  }
  const RoundOutcome& first = rounds.front().outcome;
  row.time.warmup_s = warmup_s / static_cast<double>(rounds.size());
  row.time.ops_per_sample = first.ops_per_sample;
  row.time.first_call_ns = first.first_call_ns;
  row.time.prepare_ns = first.prepared.prepare_ns;
  row.kernel = first.prepared.kernel;
  row.notes = first.notes;
  row.executed_dtype = first.prepared.executed_dtype;
  // What was executed follows from the way that ran, where the worker chose it.
  if (first.prepared.backend && row.settings.backend.empty()) {
    Settings ran = row.settings;
    ran.backend = *first.prepared.backend;
    row.cost = cost(row.work, ran);
  }
  row.copies = first.prepared.copies;
  row.bytes_held = first.prepared.bytes_held;
}

void derive_rate(Row& row) {
  const double work = row.cost.rate_work() * 1e9;  // per second, from nanoseconds
  if (!row.time.median_ns || *row.time.median_ns <= 0 || work <= 0) return;
  row.rate.value = work / *row.time.median_ns;
  if (row.time.ci_low_ns && *row.time.ci_low_ns > 0) {
    row.rate.ci_low = work / *row.time.ci_high_ns;
    row.rate.ci_high = work / *row.time.ci_low_ns;
  }
}

void end_badly(const RoundOutcome& failure, Row& row) {
  row.status = failure.status;
  row.reason = failure.reason;
  row.stderr_tail = failure.stderr_tail;
  if (failure.check.verdict == CheckOutcome::Verdict::wrong) row.check = failure.check;
  if (row.kernel.empty()) row.kernel = failure.prepared.kernel;
  if (row.status == Status::incorrect) row.add(Flag::incorrect);
  if (!row.time.round_medians_ns.empty()) {
    row.reason += " (after " + std::to_string(row.time.rounds) + " good rounds)";
  }
  // Rounds that were good stay in the file; a row that ended badly has no rate.
  row.rate.value = row.rate.ci_low = row.rate.ci_high = std::nullopt;
}

}  // namespace

Row assemble(const PlannedRow& planned, const std::string& worker, const Effort& effort,
             const std::vector<KeptRound>& rounds, const std::optional<RoundOutcome>& failure,
             const std::vector<Flag>& machine_flags) {
  Row row;
  row.work = planned.work;
  row.settings = planned.settings;
  row.worker = worker;
  row.device = planned.device;
  row.cost = cost(planned.work, planned.settings);
  row.rate.unit = row.cost.rate_unit;
  row.status = Status::ok;
  if (planned.skip) {
    row.status = planned.skip_status;
    row.reason = *planned.skip;
    row.stderr_tail = planned.stderr_tail;
    return row;
  }
  if (!rounds.empty()) {
    const Steady steady = steady_part(rounds);
    describe_samples(steady, row.time);
    const auto not_steady = std::count_if(rounds.begin(), rounds.end(), [&](const KeptRound& r) {
      return still_moving(r.outcome, effort.row_target / 2);
    });
    if (planned.in_rounds()) {
      estimate(steady, static_cast<int>(not_steady), effort.row_target, row);
    } else {
      row.time.median_ns = stats::median(steady.pooled);  // its results are `values`
    }
    add_round_facts(rounds, row);
    add_machine_flags(rounds, row);
    add_telemetry(rounds, row.telemetry);
    derive_rate(row);
    row.values = values_of(row.work, row.cost, rounds);
    hold_against_peak(planned, row);
    const auto severe = static_cast<double>(row.time.outliers_severe);
    if (severe > kManyOutliers * static_cast<double>(row.time.n)) row.add(Flag::outliers);
    for (const Flag flag : machine_flags) row.add(flag);
#ifndef NDEBUG
    row.add(Flag::debug_build);
#endif
  }
  if (failure) {
    end_badly(*failure, row);
  } else if (rounds.empty()) {
    row.status = Status::failed;
    row.reason = "not measured: the run ended before";
  }
  return row;
}

}  // namespace ridge
