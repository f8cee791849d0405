#include "measure/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include "stats/quantile.h"

namespace ridge {
namespace {

constexpr double kCanarySeconds = 0.2;
constexpr int kProbeSession = -1;
constexpr int kModelSessions = 1'000'000;  // rounds are far fewer

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

uint64_t salt_of(uint64_t seed, size_t row, uint64_t visit) {
  const TensorKey key = tensor_key(seed, row, visit, "salt");
  return key.key >> 3;  // doubled later, and JSON's integers have 63 bits
}

RoundSamples sidecar(const Row& row, const KeptRound& round, int64_t number) {
  return {row.row_key(),
          number,
          round.at_s,
          round.outcome.ops_per_sample,
          round.outcome.first_steady,
          round.outcome.start_ns,
          round.outcome.ns,
          round.outcome.watched.disturbed};
}

// The first round's answers are always checked by their twin, later ones where that takes no longer
// than the timing.
bool twin_is_cheap(const std::vector<KeptRound>& rounds) {
  return rounds.empty() || rounds.front().outcome.twin_s <= rounds.front().outcome.timed_s;
}

}  // namespace

Runner::Runner(Plan& plan, Listener listener, std::function<bool()> interrupted)
    : plan_(plan),
      listener_(std::move(listener)),
      interrupted_(std::move(interrupted)),
      sessions_(plan.workers, plan.effort, interrupted_),
      progress_(plan.rows.size()),
      began_s_(now_s()),
      model_session_(kModelSessions) {}

double Runner::elapsed() const { return now_s() - began_s_; }

Row Runner::row_of(size_t index) const {
  const PlannedRow& planned = plan_.rows[index];
  Row row = assemble(planned, plan_.workers[planned.worker].file.name, plan_.effort,
                     progress_[index].rounds, progress_[index].failure, plan_.machine_flags);
  if (planned.beside && progress_[*planned.beside].failure && progress_[index].rounds.empty() &&
      !progress_[index].failure) {
    row.reason = "not measured: the other side failed before";
  }
  const auto load = loads_.find(model_group(planned));
  const bool tells_itself = std::holds_alternative<LoadModel>(row.work);
  if (load != loads_.end() && row.status == Status::ok && !tells_itself) {
    const bool file = model_use(row.work)->file.has_value();
    row.values.push_back({.name = file ? "load" : "make_and_load",
                          .value = *stats::median(load->second),
                          .unit = "s"});
  }
  return row;
}

std::vector<Row> Runner::rows() const {
  std::vector<Row> rows;
  for (size_t i = 0; i < plan_.rows.size(); ++i) rows.push_back(row_of(i));
  return rows;
}

void Runner::tell(const std::string& now) {
  if (!listener_.progress) return;
  listener_.progress(std::max(0.0, told_eta_s_ - elapsed()), steps_done_, steps_, now);
}

void Runner::visit(const Step& step) {
  const PlannedRow& planned = plan_.rows[step.row];
  Progress& progress = progress_[step.row];
  if (planned.skip || progress.failure) return;
  if (planned.beside && progress_[*planned.beside].failure) return;
  RoundOutcome outcome;
  auto client = sessions_.get(planned.worker, step.session);
  const double at_s = elapsed();
  if (!client) {
    outcome.status = Status::failed;
    outcome.reason = client.error().message;
    outcome.worker_lost = true;
  } else {
    outcome = measure_round(**client, planned, plan_.effort,
                            {.salt = salt_of(plan_.effort.seed, step.row, progress.visits++),
                             .check_first = progress.rounds.empty(),
                             .check_twin = twin_is_cheap(progress.rounds),
                             .ops_per_sample = ops_per_sample(step.row),
                             .seconds = planned.seconds,
                             .slice = planned.slice,
                             .to_the_end = !planned.in_rounds()});
  }
  if (plan_.beside_another && plan_.beside_another()) outcome.watched.contended = true;
  measuring_s_ += outcome.timed_s;
  if (planned.in_rounds()) shared_s_ += outcome.timed_s;
  if (interrupted_()) return;  // what was cut short is not the row's fault
  if (outcome.worker_lost) sessions_.drop(planned.worker);
  if (const std::string group = model_group(planned); !group.empty()) {
    // The first row of a process loads the model.
    const bool first = loaded_session_[group] != step.session;
    if (first && outcome.status == Status::ok) {
      const bool loads = std::holds_alternative<LoadModel>(planned.work);  // as its op
      loads_[group].push_back(outcome.ready_s +
                              (loads ? outcome.first_call_ns.value_or(0) * 1e-9 : 0));
      loaded_session_[group] = step.session;
    }
  }
  if (outcome.status != Status::ok) {
    progress.failure = std::move(outcome);
  } else {
    progress.ops_per_sample = outcome.ops_per_sample;
    progress.rounds.push_back({std::move(outcome), at_s});
  }
  const Row row = row_of(step.row);
  if (listener_.visiting) listener_.visiting(step.row);
  if (listener_.samples && !progress.failure) {
    listener_.samples(
        sidecar(row, progress.rounds.back(), static_cast<int64_t>(progress.rounds.size()) - 1));
  }
  if (listener_.row) listener_.row(row);
  // Its partner will never be measured: that is told as well.
  if (progress.failure && planned.beside && progress_[*planned.beside].rounds.empty()) {
    if (listener_.visiting) listener_.visiting(*planned.beside);
    if (listener_.row) listener_.row(row_of(*planned.beside));
  }
}

// Found by the first visit. The rows of a pair are sampled alike, where one's batch suits both: a
// median of longer samples is another number, if slightly.
int64_t Runner::ops_per_sample(size_t row) const {
  const int64_t own = progress_[row].ops_per_sample;
  const auto beside = plan_.rows[row].beside;
  const int64_t other = beside ? progress_[*beside].ops_per_sample : 0;
  return own > 0 && other > own && other <= 2 * own ? other : own;
}

bool Runner::follow(const Schedule& schedule) {
  for (const Step& step : schedule) {
    if (interrupted_()) return false;
    tell(work_key(plan_.rows[step.row].work));
    visit(step);
    ++steps_done_;
  }
  return !interrupted_();
}

// A fixed product and a fixed copy on the first worker that does both: their spread over the run is
// the machine's noise floor.
void Runner::find_canaries() {
  const Settings settings;
  const Workload gemm = Gemm{.dtype = DType::f32, .m = 1024, .n = 1024, .k = 1024};
  const Workload copy = Stream{.op = Stream::Op::copy, .bytes = int64_t{64} << 20};
  std::set<size_t> tried;
  for (const PlannedRow& row : plan_.rows) {
    if (row.skip || !tried.insert(row.worker).second) continue;
    auto client = sessions_.get(row.worker, kProbeSession);
    if (!client) continue;
    auto answers = (*client)->supports({{gemm, settings, row.device}, {copy, settings, row.device}},
                                       plan_.effort.deadline_s);
    if (!answers || (*answers)[0] || (*answers)[1]) continue;
    for (const Workload& work : {gemm, copy}) {
      PlannedRow canary = row;
      canary.work = work;
      canary.settings = settings;
      canary.seconds = kCanarySeconds;
      canaries_.push_back(std::move(canary));
    }
    break;
  }
  canary_ops_.assign(canaries_.size(), 0);
  canary_medians_.resize(canaries_.size());
}

RoughRates Runner::sing(int session) {
  RoughRates rates;
  ++songs_;
  for (size_t i = 0; i < canaries_.size() && !interrupted_(); ++i) {
    const PlannedRow& canary = canaries_[i];
    auto client = sessions_.get(canary.worker, session);
    if (!client) continue;
    const double at_s = elapsed();
    const RoundOutcome outcome = measure_round(**client, canary, plan_.effort,
                                               {.salt = salt_of(~plan_.effort.seed, i, songs_),
                                                .check_first = session == kProbeSession,
                                                .ops_per_sample = canary_ops_[i],
                                                .seconds = canary.seconds});
    measuring_s_ += outcome.timed_s;
    if (outcome.worker_lost) sessions_.drop(canary.worker);
    if (outcome.status != Status::ok) continue;
    canary_ops_[i] = outcome.ops_per_sample;
    const auto steady = std::span(outcome.ns).subspan(static_cast<size_t>(outcome.first_steady));
    const auto median = stats::median(steady);
    if (!median || *median <= 0) continue;
    canary_medians_[i].push_back(*median);
    if (listener_.canary) listener_.canary({work_key(canary.work), at_s, *median});
    const Cost c = cost(canary.work, canary.settings);
    // The fastest sample: a guess of what ops take must not depend on who else runs just now.
    const double per_s = c.rate_work() / *std::min_element(steady.begin(), steady.end()) * 1e9;
    (c.rate_unit == RateUnit::flop_per_s ? rates.flop_per_s : rates.byte_per_s) = per_s;
    if (outcome.fill_s > 0 && c.rate_unit == RateUnit::byte_per_s) {
      rates.fill_byte_per_s =
          c.footprint * static_cast<double>(outcome.prepared.copies) / outcome.fill_s;
    }
  }
  return rates;
}

std::optional<double> Runner::noise_floor() const {
  std::optional<double> floor;
  for (const auto& medians : canary_medians_) {
    if (medians.size() < 3) continue;
    const auto [low, high] = std::minmax_element(medians.begin(), medians.end());
    floor = std::max(floor.value_or(0), 100 * (*high - *low) / 2 / *stats::median(medians));
  }
  return floor;
}

// By now it is known how long ops take, and how much time went by.
void Runner::share_what_is_left(double seconds, int left, int rounds) {
  for (size_t i = 0; i < plan_.rows.size(); ++i) {
    PlannedRow& row = plan_.rows[i];
    if (progress_[i].failure) row.op_seconds = 0;
    if (progress_[i].rounds.empty()) continue;
    const RoundOutcome& last = progress_[i].rounds.back().outcome;
    row.op_seconds = stats::median(last.ns).value_or(0) * 1e-9;
  }
  share_round(plan_, next_round_seconds(seconds, shared_s_, left, rounds));
}

// The best of several rows looks better than it is: such a row is measured once more.
std::vector<size_t> Runner::winners() const {
  struct Best {
    size_t index = 0;
    double rate = 0;
    int candidates = 0;
  };
  std::map<std::string, Best> groups;
  for (size_t i = 0; i < plan_.rows.size(); ++i) {
    const Row row = row_of(i);
    if (row.status != Status::ok || !row.rate.value || !plan_.rows[i].in_rounds()) continue;
    if (model_use(row.work)) continue;  // nobody asks which model is the fastest
    Best& best =
        groups[fmt::format("{}:{}/{}", row.worker, row.device, group_key(row.work, row.settings))];
    ++best.candidates;
    if (*row.rate.value > best.rate) best = {i, *row.rate.value, best.candidates};
  }
  std::vector<size_t> chosen;
  for (const auto& [key, best] : groups) {
    if (best.candidates > 1) chosen.push_back(best.index);
  }
  return chosen;
}

// The winners first; then rows whose interval is widest, as many as half a round's time holds.
Schedule Runner::further_rounds(int session) {
  if (session == plan_.effort.rounds) {
    if (const auto best = winners(); !best.empty()) {
      return rounds_schedule(best, 1, session, plan_.effort.seed);
    }
  }
  const double left = plan_.effort.seconds - shared_s_;
  std::vector<std::pair<double, size_t>> wide;
  double whole_round = 0;
  for (size_t i = 0; i < plan_.rows.size(); ++i) {
    if (plan_.rows[i].skip || progress_[i].failure || !plan_.rows[i].in_rounds()) continue;
    if (plan_.rows[i].rounds < plan_.effort.rounds) continue;  // its rounds are dear
    whole_round += plan_.rows[i].seconds;
    const double width = relative_half_width(row_of(i)).value_or(1);
    if (width > plan_.effort.round_target) wide.emplace_back(width, i);
  }
  std::sort(wide.rbegin(), wide.rend());
  std::vector<size_t> chosen;
  double used = 0;
  for (const auto& [width, index] : wide) {
    double seconds = plan_.rows[index].seconds;
    if (model_use(plan_.rows[index].work)) {  // it is loaded again
      seconds += progress_[index].rounds.front().outcome.ready_s;
    }
    if (used + seconds > left || used + seconds > whole_round / 2 + seconds / 2) continue;
    used += seconds;
    chosen.push_back(index);
  }
  return grouped_round(by_work(chosen), session, plan_.effort.seed);
}

// Rows of the same work and settings, on whichever worker and device; of models, those that one
// process measures.
std::vector<std::vector<size_t>> Runner::by_work(const std::vector<size_t>& rows) const {
  std::map<std::string, size_t> index;
  std::vector<std::vector<size_t>> groups;
  for (const size_t row : rows) {
    const PlannedRow& planned = plan_.rows[row];
    const std::string model = model_group(planned);
    const auto [at, added] = index.emplace(
        !model.empty()
            ? model
            : fmt::format("{}/{}", work_key(planned.work), settings_key(planned.settings)),
        groups.size());
    if (added) groups.emplace_back();
    groups[at->second].push_back(row);
  }
  return groups;
}

// Rows of one model that follow each other get a process of their own, which loads it once and
// whose peak of memory is theirs alone: those that need least come first.
void Runner::give_models_processes(Schedule& schedule) {
  const auto group_of = [&](const Step& step) { return model_group(plan_.rows[step.row]); };
  const auto footprint = [&](const Step& step) {
    const PlannedRow& row = plan_.rows[step.row];
    return cost(row.work, row.settings).footprint;
  };
  for (auto begin = schedule.begin(); begin != schedule.end();) {
    const std::string group = group_of(*begin);
    const auto end = std::find_if(begin + 1, schedule.end(),
                                  [&](const Step& step) { return group_of(step) != group; });
    if (!group.empty()) {
      std::stable_sort(begin, end,
                       [&](const Step& a, const Step& b) { return footprint(a) < footprint(b); });
      ++model_session_;
      for (auto step = begin; step != end; ++step) step->session = model_session_;
    }
    begin = end;
  }
}

// A model that was slow to load in the first round is not loaded again.
void Runner::limit_slow_loads() {
  for (PlannedRow& row : plan_.rows) {
    if (!model_use(row.work) || row.rounds_of(plan_.effort) == 1) continue;
    const auto load = loads_.find(model_group(row));
    if (load == loads_.end() || load->second.front() <= plan_.effort.most_load_s) continue;
    steps_ -= static_cast<size_t>(row.rounds_of(plan_.effort) - 1);
    row.rounds = 1;
    const bool makes_file = std::holds_alternative<LoadModel>(row.work);
    row.note = fmt::format("one round, as {} the model takes {}",
                           makes_file ? "making ready and loading" : "loading",
                           show_duration(load->second.front()));
  }
}

// Wakes the clocks up and shares the time by what the canaries tell of the machine.
void Runner::prepare_to_run(bool canaries_between_rounds) {
  find_canaries();
  const double before_canaries = elapsed();
  sing(kProbeSession);
  const RoughRates rates = sing(kProbeSession);
  const bool more = canaries_between_rounds && !canaries_.empty();
  plan_.canary_seconds = more ? (elapsed() - before_canaries) / 2 : 0;
  for (auto& medians : canary_medians_) medians.clear();  // those two were a warm-up
  share_time(plan_, rates);
}

RunTotals Runner::run() {
  prepare_to_run(true);

  std::vector<size_t> in_rounds, once;
  for (size_t i = 0; i < plan_.rows.size(); ++i) {
    const PlannedRow& row = plan_.rows[i];
    if (!row.skip) (row.in_rounds() ? in_rounds : once).push_back(i);
    if (row.skip && listener_.row) listener_.row(row_of(i));
  }
  steps_ = once.size();
  for (const size_t row : in_rounds) {
    steps_ += static_cast<size_t>(plan_.rows[row].rounds_of(plan_.effort));
  }
  told_eta_s_ = elapsed() + plan_.eta_seconds();
  tell("");
  int session = 0;
  bool going = true;
  for (; going && !in_rounds.empty() && session < plan_.effort.rounds; ++session) {
    sing(session);
    if (session == 1) limit_slow_loads();
    if (session > 0) {
      const int rounds = plan_.effort.rounds;
      share_what_is_left(base_seconds(plan_.effort), rounds - session, rounds);
    }
    std::erase_if(in_rounds, [&](size_t row) { return plan_.rows[row].rounds <= session; });
    Schedule round = grouped_round(by_work(in_rounds), session, plan_.effort.seed);
    give_models_processes(round);
    going = follow(round);
  }
  while (going) {
    Schedule more = further_rounds(session);
    if (more.empty()) break;
    give_models_processes(more);
    steps_ += more.size();
    going = follow(more);
    ++session;
  }
  if (going) sing(session);
  // Last, as they leave a machine hot or its memory turned over; each in a process of its own.
  for (const size_t row : once) {
    if (going) going = follow(rounds_schedule({row}, 1, ++session, plan_.effort.seed));
  }
  sessions_.end_all();
  return {elapsed(), measuring_s_, told_eta_s_, !going, noise_floor()};
}

RunTotals Runner::compare(const std::vector<RowPair>& pairs) {
  for (const RowPair& pair : pairs) {
    plan_.rows[pair.a].beside = pair.b;
    plan_.rows[pair.b].beside = pair.a;
    for (const size_t row : {pair.a, pair.b}) plan_.rows[row].rounds = SuiteItem::kAllRounds;
  }
  const int rounds = plan_.effort.rounds / 2;
  const auto equal_time = [&] {
    for (const RowPair& pair : pairs) {
      PlannedRow &a = plan_.rows[pair.a], &b = plan_.rows[pair.b];
      a.seconds = b.seconds = std::max(a.seconds, b.seconds);
    }
  };
  prepare_to_run(false);
  equal_time();
  steps_ = pairs.size() * 4 * static_cast<size_t>(rounds);
  told_eta_s_ = elapsed() + plan_.eta_seconds();
  tell("");
  bool going = true;
  for (int round = 0; going && round < rounds; ++round) {
    if (round > 0) share_what_is_left(plan_.effort.seconds, 2 * (rounds - round), 2 * rounds);
    equal_time();
    going = follow(mirrored_round(pairs, round, plan_.effort.seed));
  }
  sessions_.end_all();
  return {elapsed(), measuring_s_, told_eta_s_, !going, std::nullopt};
}

RunTotals Runner::run(const Schedule& schedule) {
  steps_ = schedule.size();
  told_eta_s_ = elapsed();
  for (const Step& step : schedule) told_eta_s_ += plan_.rows[step.row].seconds;
  tell("");
  const bool whole = follow(schedule);
  sessions_.end_all();
  return {elapsed(), measuring_s_, told_eta_s_, !whole, std::nullopt};
}

}  // namespace ridge
