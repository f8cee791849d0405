#include "cli/recording.h"

#include <fmt/format.h>

namespace ridge::cli {

Header header_of(const Context& context, const Machine& machine, const Plan& plan, Json settings) {
  Header header;
  header.id = new_run_id();
  header.started_utc = utc_now();
  header.argv = context.argv;
  header.machine_key = machine_key(machine);
  header.machine = to_json(machine);
  header.tool = tool_json();
  header.settings = std::move(settings);
  header.telemetry = to_json(Watch::telemetry().origins());
  for (const FoundWorker& worker : plan.workers) {
    Json hello = protocol::to_json(worker.hello);
    hello.set("worker", worker.file.name);
    if (!worker.broken.empty()) hello.set("broken", worker.broken);
    header.workers.push(std::move(hello));
  }
  for (const PlannedRow& row : plan.rows) {
    header.row_keys.push_back(
        row_key(row.work, row.settings, plan.workers[row.worker].file.name, row.device));
  }
  return header;
}

bool Neighbour::here() {
  const auto other = presence_.other();
  if (other && !told_) {
    complain(fmt::format("another ridge{} measures on this machine: rows will be flagged contended",
                         *other > 0 ? fmt::format(" (process {})", *other) : ""),
             kOk);
    told_ = true;
  }
  return other.has_value();
}

}  // namespace ridge::cli
