#include "measure/plan.h"

#include <algorithm>

#include "machine/processor.h"
#include "worker/client.h"

namespace ridge {
namespace {

// Says hello, and adds a row for every item and device, with whether it is supported.
void probe(FoundWorker& found, size_t worker, const PlanQuery& query, const Effort& effort,
           std::vector<PlannedRow>& rows) {
  auto client = Client::start(found.file.path, effort.seed, effort.deadline_s, query.interrupted);
  if (!client) {
    found.broken = client.error().message;
    // A package brings workers of frameworks that need not be here: a failure only where one was
    // asked for by name.
    const bool passed_over = !query.named && client.error().unsupported;
    for (const SuiteItem& item : query.items) {
      if (query.wanted && !query.wanted(row_key(item.work, item.settings, found.file.name, "-"))) {
        continue;
      }
      rows.push_back({.worker = worker,
                      .device = "-",
                      .work = item.work,
                      .settings = item.settings,
                      .skip = found.broken,
                      .skip_status = passed_over ? Status::unsupported : Status::failed});
    }
    return;
  }
  found.hello = client->hello();
  std::vector<protocol::Prepare> questions;
  const size_t first = rows.size();
  for (const auto& device : found.hello.devices) {
    if (!query.devices.empty() &&
        std::find(query.devices.begin(), query.devices.end(), device.id) == query.devices.end()) {
      continue;
    }
    for (const SuiteItem& item : query.items) {
      if (query.wanted &&
          !query.wanted(row_key(item.work, item.settings, found.file.name, device.id))) {
        continue;
      }
      questions.push_back({item.work, item.settings, device.id, 0});
      rows.push_back({.worker = worker,
                      .device = device.id,
                      .on_processor = is_processor(found.hello, device),
                      .cache_bytes = device.cache_bytes,
                      .memory_bytes = device.memory_bytes.value_or(0),
                      .work = item.work,
                      .settings = item.settings,
                      .rounds = item.rounds});
    }
  }
  if (questions.empty()) {
    client->bye();
    return;
  }
  auto answers = client->supports(questions, effort.deadline_s);
  if (!answers) {
    for (size_t i = first; i < rows.size(); ++i) {
      rows[i].skip = answers.error().message;
      rows[i].skip_status = Status::failed;
      rows[i].stderr_tail = client->stderr_tail();
    }
    return;
  }
  for (size_t i = first; i < rows.size(); ++i) rows[i].skip = (*answers)[i - first];
  client->bye();
}

}  // namespace

bool is_processor(const protocol::Hello& hello, const protocol::Device& device) {
  return names_processor(hello.worker, device.id, device.name);
}

Plan make_plan(const PlanQuery& query, const Effort& effort) {
  Plan plan;
  plan.effort = effort;
  for (const WorkerFile& file : query.workers) {
    plan.workers.push_back({file, {}, ""});
    probe(plan.workers.back(), plan.workers.size() - 1, query, effort, plan.rows);
  }
  return plan;
}

}  // namespace ridge
