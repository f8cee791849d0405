#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "cli/commands.h"
#include "cli/progress.h"
#include "measure/runner.h"
#include "report/table.h"

namespace ridge::cli {
namespace {

constexpr double kRoundSeconds = 0.01;  // enough for the answers after timing to be compared

// A line a worker, then what went wrong.
std::string check_md(const std::vector<Row>& rows) {
  struct Count {
    size_t ok = 0, unsupported = 0, bad = 0;
    int64_t elements = 0;
    double worst = 0;
  };
  std::map<std::string, Count> counts;
  std::string bad;
  for (const Row& row : rows) {
    Count& count = counts[row.worker + ":" + row.device];
    count.elements += row.check.elements;
    count.worst = std::max(count.worst, row.check.worst);
    switch (row.status) {
      case Status::ok: ++count.ok; break;
      case Status::unsupported: ++count.unsupported; break;
      default:
        ++count.bad;
        bad += fmt::format("- {}: {}: {}\n", row.row_key(), name(row.status), row.reason);
        for (const std::string& line : row.stderr_tail) bad += fmt::format("  stderr: {}\n", line);
    }
  }
  Table table({"worker", "right", "not supported", "wrong or failed", "elements compared",
               "worst error / tolerance"},
              {false, true, true, true, true, true});
  for (const auto& [worker, c] : counts) {
    table.add({worker, std::to_string(c.ok), std::to_string(c.unsupported), std::to_string(c.bad),
               std::to_string(c.elements), fmt::format("{:.2f}", c.worst)});
  }
  return table.markdown() + (bad.empty() ? "" : "\n" + bad);
}

}  // namespace

int check(const CheckArgs& args, const Context& context) {
  const auto format = parse_format(args.format);
  if (!format) {
    return complain(fmt::format("--format '{}' (known: {})", args.format, kFormats), kUsage);
  }
  auto resolved = resolve(args.choice, context);
  if (!resolved) return complain(resolved.error().message, kUsage);
  Effort effort;
  effort.rounds = 1;
  effort.seed = args.seed;
  effort.deadline_s = args.deadline_s;
  Plan plan = make_plan(resolved->query, effort);
  if (interrupted()) return complain("interrupted", kInterrupted);
  if (auto valid = validate_plan(plan, args.choice); !valid) {
    return complain(valid.error().message, kUsage);
  }
  Schedule schedule;
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    plan.rows[i].seconds = kRoundSeconds;
    if (!plan.rows[i].skip) schedule.push_back({i, 0});
  }
  Progress progress(context.variable("TERM") != "dumb");
  Listener listener;
  const auto began = std::chrono::steady_clock::now();
  listener.progress = [&](double, size_t done, size_t all, const std::string& now) {
    // Starting workers and comparing take longer than what is timed: as it went on, so it will go
    // on.
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
    const auto share = static_cast<double>(done) / static_cast<double>(std::max<size_t>(all, 1));
    progress.update(share > 0 ? passed.count() * (1 / share - 1) : 0, done, all, now);
  };
  Runner runner(plan, listener, interrupted);
  const RunTotals totals = runner.run(schedule);
  progress.clear();
  Run result;
  result.rows = runner.rows();
  const std::string text = *format == Format::md ? check_md(result.rows) : render(result, *format);
  if (!print_result(text)) return kFailed;
  if (totals.interrupted) return kInterrupted;
  for (const Row& row : result.rows) {
    if (row.status == Status::failed || row.status == Status::incorrect) return kFailed;
  }
  return kOk;
}

}  // namespace ridge::cli
