#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/recording.h"
#include "machine/chips.h"
#include "machine/machine.h"
#include "machine/presence.h"
#include "measure/peaks.h"
#include "measure/runner.h"
#include "report/headlines.h"
#include "report/series_md.h"
#include "report/table.h"
#include "store/baseline.h"

namespace ridge::cli {
namespace {

Result<Effort> effort_of(const RunArgs& args, const Suite& suite, size_t rows) {
  Effort effort;
  if (args.fast && args.rigorous) return Error{"--fast and --rigorous exclude each other"};
  const double scale = args.fast ? 0.35 : args.rigorous ? 4 : 1;
  effort.seconds =
      scale * std::min(suite.seconds_per_row * static_cast<double>(rows), suite.most_seconds);
  if (!args.budget.empty()) {
    auto budget = parse_duration(args.budget);
    if (!budget) return budget.error().in("--budget");
    if (*budget <= 0) return Error{"--budget must be above 0"};
    effort.seconds = *budget;
  }
  effort.rounds = args.rounds.value_or(args.fast       ? std::min(3, suite.rounds)
                                       : args.rigorous ? 2 * suite.rounds
                                                       : suite.rounds);
  if (effort.rounds < 1 || effort.rounds > 1000) return Error{"--rounds must lie in 1 to 1000"};
  if (args.rounds)
    effort.most_load_s = std::numeric_limits<double>::infinity();  // it was asked for
  effort.round_target = args.fast ? 0.03 : args.rigorous ? 0.005 : 0.01;
  effort.row_target = args.fast ? 0.10 : args.rigorous ? 0.02 : 0.05;
  effort.deadline_s = args.deadline_s;
  effort.seed = args.seed;
  return effort;
}

Json settings_json(const RunArgs& args, const Suite& suite, const Effort& effort) {
  Json json = Json::object();
  json.set("suite", suite.name).set("filter", args.choice.filter).set("seed", effort.seed);
  json.set("rounds", effort.rounds).set("budget_s", effort.seconds);
  json.set("round_target", effort.round_target).set("row_target", effort.row_target);
  return json;
}

std::string dry_run_text(const Plan& plan) {
  Table table({"row", "model FLOPs", "bytes", "what"}, {false, true, true, false});
  std::vector<std::string> unsupported;
  for (const PlannedRow& row : plan.rows) {
    const std::string& worker = plan.workers[row.worker].file.name;
    if (row.skip && row.skip_status == Status::unsupported) {
      unsupported.push_back(worker + ": " + *row.skip);
      continue;
    }
    const Cost c = cost(row.work, row.settings);
    table.add({row_key(row.work, row.settings, worker, row.device),
               fmt::format("{:.3g}", c.model_flops),
               show_bytes(static_cast<int64_t>(c.bytes_read + c.bytes_written)),
               row.skip ? fmt::format("{}: {}", name(row.skip_status), *row.skip) : "measure"});
  }
  if (unsupported.empty()) return table.markdown();
  return table.markdown() + "\n" + not_supported(unsupported);
}

// Exit code of what was measured.
int judge(const std::vector<Row>& rows, const RunArgs& args, bool was_interrupted) {
  if (was_interrupted) return kInterrupted;
  bool unstable = false;
  for (const Row& row : rows) {
    if (row.status == Status::failed || row.status == Status::incorrect) return kFailed;
    for (const Flag flag : {Flag::imprecise, Flag::drift, Flag::bimodal, Flag::not_steady}) {
      unstable = unstable || row.has(flag);
    }
  }
  return args.strict && unstable ? kUnstable : kOk;
}

}  // namespace

int run(const RunArgs& args, const Context& context) {
  const auto format = parse_format(args.format);
  if (!format) {
    return complain(fmt::format("--format '{}' (known: {})", args.format, kFormats), kUsage);
  }
  auto resolved = resolve(args.choice, context);
  if (!resolved) return complain(resolved.error().message, kUsage);
  auto effort = effort_of(args, resolved->suite, resolved->suite.items.size());
  if (!effort) return complain(effort.error().message, kUsage);
  Plan plan = make_plan(resolved->query, *effort);
  if (interrupted()) return complain("interrupted", kInterrupted);
  if (auto valid = validate_plan(plan, args.choice); !valid) {
    return complain(valid.error().message, kUsage);
  }
  const auto measured =
      std::count_if(plan.rows.begin(), plan.rows.end(), [](const auto& row) { return !row.skip; });
  // Work that sets its own length takes no part in what a suite gives each row.
  const auto sampled = std::count_if(plan.rows.begin(), plan.rows.end(),
                                     [](const auto& row) { return !row.skip && row.in_rounds(); });
  plan.effort = *effort_of(args, resolved->suite, static_cast<size_t>(sampled));
  if (measured == 0 && !args.choice.models.given().empty()) {
    complain(
        "no worker here runs these models; llamacpp does, which is built where "
        "`scripts/frameworks llamacpp` got llama.cpp",
        kOk);
  }
  if (args.dry_run) return print_result(dry_run_text(plan)) ? kOk : kFailed;

  CompareRule against;
  against.fail_on_regression = args.fail_on_regression;
  std::optional<Given> baseline;
  for (const std::string& name : {args.baseline, args.save_baseline}) {
    if (name.empty()) continue;
    if (auto folder = baseline_folder(args.out, name); !folder) {
      return complain(folder.error().message, kUsage);
    }
  }
  if (!args.baseline.empty()) {
    if (*format != Format::md) {
      return complain("--baseline prints tables: for other formats, `ridge compare` the run file",
                      kUsage);
    }
    auto found = read_baseline(args.out, args.baseline);
    if (!found) return complain(found.error().message, kUsage);
    baseline = *std::move(found);
  }

  const Machine machine = discover({.environment = context.environment});
  if (machine.system.power_source && *machine.system.power_source == "battery") {
    plan.machine_flags.push_back(Flag::on_battery);
  }
  if (const auto database = read_chips(context.data)) {
    add_ceilings(plan, *database, machine);
  } else {
    complain(database.error().message + "; no rate is held against its chip's peak", kOk);
  }
  const Header header =
      header_of(context, machine, plan, settings_json(args, resolved->suite, plan.effort));
  auto writer = RunWriter::create(args.out, header);
  if (!writer) return complain(writer.error().message, kUsage);
  Keeper keeper(*writer);
  Progress progress(context.variable("TERM") != "dumb");
  Listener listener;
  bool announced = false;
  listener.progress = [&](double eta_s, size_t done, size_t all, const std::string& now) {
    if (!announced) {
      fmt::print(stderr, "ridge: {} rows in {} rounds, about {}; results in {}\n", measured,
                 plan.effort.rounds, show_duration(eta_s), writer->path());
      announced = true;
      return;
    }
    progress.update(eta_s, done, all, now);
  };
  listener.row = [&](const Row& row) { keeper.keep(row); };
  listener.samples = [&](const RoundSamples& samples) { keeper.keep(samples); };
  Run result;
  result.path = writer->path();
  result.header = header;
  listener.canary = [&](const Canary& canary) {
    result.canaries.push_back(canary);
    keeper.keep(canary);
  };

  const Presence presence(args.lock);
  Neighbour neighbour(presence);
  plan.beside_another = [&] { return neighbour.here(); };
  neighbour.here();

  Runner runner(plan, listener, interrupted);
  const RunTotals totals = runner.run();
  progress.clear();

  for (Row& row : runner.rows()) {
    // An interrupted run shows what it has, not what it never came to.
    if (!totals.interrupted || row.time.rounds > 0) result.rows.push_back(std::move(row));
  }
  const Summary summary{utc_now(),    totals.wall_s,      totals.measuring_s,
                        totals.eta_s, totals.interrupted, totals.noise_floor_percent};
  if (auto closed = writer->close(summary); !closed) complain(closed.error().message, kFailed);
  result.summary = summary;

  std::string text = render(result, *format);
  if (*format == Format::md) text += series_text(result) + "\n" + headlines_text(result);
  const bool printed = print_result(text);
  fmt::print(stderr, "ridge: {}{} in all, {} of it measuring{}; kept in {}\n",
             totals.interrupted ? "interrupted after " : "", show_duration(totals.wall_s),
             show_duration(totals.measuring_s),
             totals.noise_floor_percent
                 ? fmt::format("; noise floor ±{:.1f} %", *totals.noise_floor_percent)
                 : "",
             writer->path());
  if (!args.save_baseline.empty() && !totals.interrupted) {
    if (auto saved = save_baseline(args.out, args.save_baseline, {writer->path()}); !saved) {
      return complain(saved.error().message, kFailed);
    }
  }
  if (!printed || keeper.lost_some()) return kFailed;
  const int verdict = judge(result.rows, args, totals.interrupted);
  if (!baseline || totals.interrupted) return verdict;
  if (!print_result("\n")) return kFailed;
  const int compared =
      compare_given({*std::move(baseline), Given{"this run", {std::move(result)}}}, against);
  return verdict != kOk ? verdict : compared;
}

}  // namespace ridge::cli
