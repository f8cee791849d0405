#include "cli/compare_live.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analyze/live.h"
#include "cli/live_side.h"
#include "cli/progress.h"
#include "cli/recording.h"
#include "report/live.h"

namespace ridge::cli {
namespace {

constexpr int kLeastRounds = 3;
constexpr const char* kOrder = "ABBA/BAAB";

Result<std::array<SideChoice, 2>> sides_of(const CompareArgs& args, const Resolved& resolved,
                                           const Context& context) {
  if (!args.sides.empty() && args.sides.size() != 2) {
    return Error{fmt::format("--side is given twice (A and B) or not at all, not {} time{}",
                             args.sides.size(), args.sides.size() == 1 ? "" : "s")};
  }
  auto a = resolve_side(args.sides.empty() ? "" : args.sides[0], resolved, context);
  if (!a) return a.error();
  auto b = resolve_side(args.sides.empty() ? "" : args.sides[1], resolved, context);
  if (!b) return b.error();
  if (a->side.names_worker != b->side.names_worker) {
    return Error{"--side: both sides name a worker, or neither does"};
  }
  if (a->side.names_device != b->side.names_device) {
    return Error{"--side: both sides name a device, or neither does"};
  }
  return std::array{*std::move(a), *std::move(b)};
}

// plan.effort.rounds counts visits: two a round.
Result<Effort> effort_of(const CompareArgs& args, const Suite& suite, size_t pairs) {
  Effort effort;
  if (args.rounds < kLeastRounds || args.rounds > 500) {
    return Error{fmt::format("--rounds must lie in {} to 500", kLeastRounds)};
  }
  effort.rounds = 2 * args.rounds;
  effort.seconds =
      2 * std::min(suite.seconds_per_row * static_cast<double>(pairs), suite.most_seconds);
  if (!args.budget.empty()) {
    auto budget = parse_duration(args.budget);
    if (!budget) return budget.error().in("--budget");
    if (*budget <= 0) return Error{"--budget must be above 0"};
    effort.seconds = *budget;
  }
  effort.deadline_s = args.deadline_s;
  effort.seed = args.seed;
  return effort;
}

Result<void> validate(const LivePlan& live, const std::array<SideChoice, 2>& sides,
                      const Choice& choice) {
  for (const SideChoice& side : sides) {
    if (!side.side.names_device) continue;
    const std::string& wanted = side.side.query.devices.front();
    std::string found;
    bool known = false;
    for (const FoundWorker& worker : live.plan.workers) {
      known = known || !worker.broken.empty();
      for (const auto& device : worker.hello.devices) {
        known = known || device.id == wanted;
        found += (found.empty() ? "" : ", ") + device.id;
      }
    }
    if (!known) return Error{fmt::format("there is no device '{}' (found: {})", wanted, found)};
  }
  return live.pairs.empty() ? validate_plan({live.plan.workers}, choice) : Result<void>{};
}

// One side: its rows lie in one stretch of the plan, in the order of the pairs.
class Side {
 public:
  static Result<Side> create(const CompareArgs& args, const Context& context,
                             const Machine& machine, const LivePlan& live, bool is_b,
                             const SideChoice& choice, const std::string& id) {
    Plan own;
    own.workers = live.plan.workers;
    std::vector<bool> used(own.workers.size());
    for (const RowPair& pair : live.pairs) {
      own.rows.push_back(live.plan.rows[is_b ? pair.b : pair.a]);
      used[own.rows.back().worker] = true;
    }
    Json settings = Json::object();
    settings.set("suite", !args.choice.models.given().empty() ? "models"
                          : !args.choice.works.empty()        ? "work"
                                                              : args.choice.suite);
    settings.set("filter", args.choice.filter).set("seed", args.seed);
    settings.set("rounds", args.rounds).set("budget_s", live.plan.effort.seconds);
    settings.set("live", Json::object()
                             .set("id", id)
                             .set("side", is_b ? "B" : "A")
                             .set("label", choice.label)
                             .set("order", kOrder));
    Side side;
    Header header = header_of(context, machine, own, std::move(settings));
    header.workers = Json::array();
    for (size_t i = 0; i < used.size(); ++i) {
      const FoundWorker& worker = own.workers[i];
      if (!used[i] || worker.file.path.empty()) continue;
      Json hello = protocol::to_json(worker.hello);
      hello.set("worker", worker.file.name).set("path", worker.file.path);
      if (!worker.broken.empty()) hello.set("broken", worker.broken);
      header.workers.push(std::move(hello));
      side.report_.workers.push_back(identity(worker));
    }
    auto writer = RunWriter::create(args.out, header);
    if (!writer) return writer.error();
    side.writer_ = std::make_unique<RunWriter>(*std::move(writer));
    side.keeper_ = std::make_unique<Keeper>(*side.writer_);
    side.report_.label = choice.label;
    side.report_.file = side.writer_->path();
    return side;
  }

  // Whole rounds only, so that the file holds no half of a pair, whatever ends us.
  void keep(const Row& row) {
    if (row.status != Status::ok || row.time.rounds % 2 == 0) keeper_->keep(row);
  }
  void keep(const RoundSamples& samples) { keeper_->keep(samples); }
  bool close(const Summary& summary) {
    if (auto closed = writer_->close(summary); !closed) {
      complain(closed.error().message, kFailed);
      return false;
    }
    return !keeper_->lost_some();
  }
  const LiveReport::Side& report() const { return report_; }

 private:
  static std::string identity(const FoundWorker& worker) {
    if (!worker.broken.empty()) return fmt::format("{} (broken)", worker.file.name);
    std::string libraries;
    for (const auto& [name, version] : worker.hello.libraries) {
      libraries += fmt::format("{}{} {}", libraries.empty() ? "" : ", ", name, version);
    }
    return fmt::format("{} ({}{}{})", worker.file.name, libraries, libraries.empty() ? "" : "; ",
                       worker.file.path);
  }

  std::unique_ptr<RunWriter> writer_;  // the keeper holds on to it
  std::unique_ptr<Keeper> keeper_;
  LiveReport::Side report_;
};

int exit_code(const LiveReport& report, const CompareArgs& args) {
  if (report.interrupted) return kInterrupted;
  bool slower = false;
  for (const LiveRow& row : report.rows) {
    if (row.status == Status::failed || row.status == Status::incorrect) return kFailed;
    slower = slower || (args.rule.fail_on_regression && row.speedup &&
                        row.verdict == stats::SpeedVerdict::slower &&
                        1 / row.speedup->ratio.value > 1 + *args.rule.fail_on_regression / 100);
  }
  return slower ? kRegression : kOk;
}

}  // namespace

int compare_live(const CompareArgs& args, const Context& context) {
  auto resolved = resolve(args.choice, context);
  if (!resolved) return complain(resolved.error().message, kUsage);
  auto sides = sides_of(args, *resolved, context);
  if (!sides) return complain(sides.error().message, kUsage);
  auto effort = effort_of(args, resolved->suite, resolved->suite.items.size());
  if (!effort) return complain(effort.error().message, kUsage);
  LivePlan live = make_live_plan((*sides)[0].side, (*sides)[1].side, *effort);
  if (interrupted()) return complain("interrupted", kInterrupted);
  if (auto valid = validate(live, *sides, args.choice); !valid) {
    return complain(valid.error().message, kUsage);
  }
  std::vector<RowPair> measured;
  for (const RowPair& pair : live.pairs) {
    if (!live.plan.rows[pair.a].skip && !live.plan.rows[pair.b].skip) measured.push_back(pair);
  }
  live.plan.effort = *effort_of(args, resolved->suite, measured.size());

  const Machine machine = discover({.environment = context.environment});
  if (machine.system.power_source && *machine.system.power_source == "battery") {
    live.plan.machine_flags.push_back(Flag::on_battery);
  }
  const std::string id = new_run_id();
  std::vector<Side> files;
  for (const bool is_b : {false, true}) {
    auto side = Side::create(args, context, machine, live, is_b, (*sides)[is_b ? 1 : 0], id);
    if (!side) return complain(side.error().message, kUsage);
    files.push_back(*std::move(side));
  }
  const auto side_of = [&](size_t row) -> Side& { return files[row < live.pairs.size() ? 0 : 1]; };

  const Presence presence(args.lock);
  Neighbour neighbour(presence);
  live.plan.beside_another = [&] { return neighbour.here(); };
  neighbour.here();
  Progress progress(context.variable("TERM") != "dumb");
  Listener listener;
  bool announced = false;
  size_t visited = 0;
  listener.progress = [&](double eta_s, size_t done, size_t all, const std::string& now) {
    if (announced) return progress.update(eta_s, done, all, now);
    fmt::print(stderr, "ridge: {} comparison{} in {} rounds, about {}; results in {} and {}\n",
               measured.size(), measured.size() == 1 ? "" : "s", args.rounds, show_duration(eta_s),
               files[0].report().file, files[1].report().file);
    announced = true;
  };
  listener.visiting = [&](size_t row) { visited = row; };
  listener.row = [&](const Row& row) { side_of(visited).keep(row); };
  listener.samples = [&](const RoundSamples& samples) { side_of(visited).keep(samples); };
  Runner runner(live.plan, listener, interrupted);
  const std::vector<Row> planned = runner.rows();
  for (size_t row = 0; row < planned.size(); ++row) {
    if (live.plan.rows[row].skip) side_of(row).keep(planned[row]);
  }
  const RunTotals totals = runner.compare(measured);
  progress.clear();

  const std::vector<Row> rows = runner.rows();
  std::vector<Row> of_a, of_b;
  for (const auto& [a, b] : live.pairs) {
    of_a.push_back(rows[a]);
    of_b.push_back(rows[b]);
  }
  const Summary summary{utc_now(),    totals.wall_s,      totals.measuring_s,
                        totals.eta_s, totals.interrupted, totals.noise_floor_percent};
  bool kept = files[0].close(summary);
  kept = files[1].close(summary) && kept;

  const LiveReport report{.id = id,
                          .a = files[0].report(),
                          .b = files[1].report(),
                          .rounds = args.rounds,
                          .interrupted = totals.interrupted,
                          .rule = speed_rule(args.rule),
                          .rows = judge_live(of_a, of_b, speed_rule(args.rule))};
  const bool printed = print_result(args.rule.format == "md" ? live_md(report) : live_json(report));
  fmt::print(stderr, "ridge: {}{} in all, {} of it measuring\n",
             totals.interrupted ? "interrupted after " : "", show_duration(totals.wall_s),
             show_duration(totals.measuring_s));
  return printed && kept ? exit_code(report, args) : kFailed;
}

}  // namespace ridge::cli
