// Rows of whole models: processes, loading, rounds. On the simulated worker.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim_runs.h"

namespace {

using namespace ridge;
using sim_test::effort_of;
using sim_test::gemm;
using sim_test::hot;
using sim_test::query_of;

ModelUse small(const std::string& name = "small", ModelFormat format = ModelFormat::f16) {
  return {.model = {.name = name,
                    .num_hidden_layers = 1,
                    .hidden_size = 32,
                    .num_attention_heads = 2,
                    .num_key_value_heads = 2,
                    .head_dim = 16,
                    .intermediate_size = 32,
                    .vocab_size = 160,
                    .max_position_embeddings = 512},
          .format = format};
}

Settings isolated() {
  Settings settings = hot();
  settings.timing = Timing::isolated;
  return settings;
}

std::vector<SuiteItem> items() {
  std::vector<SuiteItem> out;
  for (const std::string name : {"small", "other"}) {
    for (const ModelFormat format : {ModelFormat::f16, ModelFormat::f32}) {
      out.push_back({Decode{.use = small(name, format), .tokens = 2}, isolated()});
      out.push_back({Prefill{.use = small(name, format), .tokens = 6}, isolated()});
    }
  }
  out.push_back({gemm(16, 16, 16), {}});
  return out;
}

std::string pid_of(const Row& row) { return row.kernel; }  // "sim, pid 12"
std::string model_of(const Row& row) {
  const ModelUse* use = model_use(row.work);
  return use ? use->model.name + std::string(name(use->format)) : "";
}
const Value* value_of(const Row& row, const std::string& name) {
  for (const Value& value : row.values) {
    if (value.name == name) return &value;
  }
  return nullptr;
}

// A model's rows share a process, in which no other work is done, so that it is loaded once and the
// peak of memory is its own.
TEST(ModelRounds, AModelHasItsProcess) {
  Plan plan = make_plan(query_of(items()), effort_of(1, 0.2));
  Runner runner(plan, {}, [] { return false; });
  runner.run();
  std::map<std::string, std::string> process_of;
  std::set<std::string> processes;
  for (const Row& row : runner.rows()) {
    ASSERT_EQ(row.status, Status::ok) << row.row_key() << ": " << row.reason;
    EXPECT_TRUE(pid_of(row).starts_with("sim, pid ")) << row.kernel;
    const auto [at, added] = process_of.emplace(model_of(row), pid_of(row));
    EXPECT_EQ(at->second, pid_of(row)) << row.row_key();
    processes.insert(pid_of(row));
  }
  EXPECT_EQ(process_of.size(), 5u);
  EXPECT_EQ(processes.size(), 5u);
}

TEST(ModelRounds, RowsThatNeedLessComeFirst) {
  std::vector<SuiteItem> all;
  for (const int64_t tokens : {40, 5, 20, 80, 10}) {
    all.push_back({Prefill{.use = small(), .tokens = tokens}, isolated()});
  }
  Plan plan = make_plan(query_of(all), effort_of(3, 0.2));
  std::vector<std::string> order;
  Listener listener;
  listener.samples = [&](const RoundSamples& samples) { order.push_back(samples.row_key); };
  Runner runner(plan, listener, [] { return false; });
  runner.run();
  ASSERT_GE(order.size(), 15u);
  for (size_t round = 0; round < 3; ++round) {
    const char* const tokens[] = {"pp5@", "pp10@", "pp20@", "pp40@", "pp80@"};
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_NE(order[5 * round + i].find(tokens[i]), std::string::npos) << order[5 * round + i];
    }
  }
}

TEST(ModelRounds, EveryRowTellsHowLongItsModelTookToLoad) {
  Plan plan = make_plan(query_of(items()), effort_of(3, 0.2));
  Runner runner(plan, {}, [] { return false; });
  runner.run();
  std::map<std::string, double> seconds;
  for (const Row& row : runner.rows()) {
    const Value* load = value_of(row, "make_and_load");  // its weights are made, not read
    ASSERT_EQ(load != nullptr, model_use(row.work) != nullptr);
    if (!load) continue;
    EXPECT_EQ(load->unit, "s");
    EXPECT_GT(load->value, 0);
    EXPECT_EQ(seconds.emplace(model_of(row), load->value).first->second, load->value);
    EXPECT_GE(row.time.rounds, 3);
  }
}

// What loads a model needs the memory that others would leave, and tells the time itself.
TEST(ModelRounds, LoadsHaveTheirProcesses) {
  std::vector<SuiteItem> all = {{Decode{.use = small(), .tokens = 2}, isolated()}};
  for (const CacheMode cache : {CacheMode::cold, CacheMode::hot}) {
    Settings settings = isolated();
    settings.cache = cache;
    all.push_back({LoadModel{small(), 4}, settings});
  }
  Plan plan = make_plan(query_of(all), effort_of(1, 0.2));
  Runner runner(plan, {}, [] { return false; });
  runner.run();
  std::set<std::string> processes;
  for (const Row& row : runner.rows()) {
    ASSERT_EQ(row.status, Status::ok) << row.row_key() << ": " << row.reason;
    EXPECT_GT(row.check.elements, 0);
    processes.insert(pid_of(row));
    const bool loads = std::holds_alternative<LoadModel>(row.work);
    EXPECT_EQ(value_of(row, "make_and_load") == nullptr, loads);
    EXPECT_FALSE(row.has(Flag::cache_not_cold));  // it is not the processor's cache
  }
  EXPECT_EQ(processes.size(), 3u);
}

// Where loading takes longer than it may, a model takes part in one round, and says so; the rest
// goes on.
TEST(ModelRounds, SlowLoadsAreNotRepeated) {
  Effort effort = effort_of(3, 0.6);
  effort.most_load_s = 0;
  Plan plan = make_plan(query_of(items()), effort);
  size_t most = 0, done = 0;
  Listener listener;
  listener.progress = [&](double, size_t steps_done, size_t all, const std::string&) {
    most = all;
    done = steps_done;
  };
  Runner runner(plan, listener, [] { return false; });
  runner.run();
  for (const Row& row : runner.rows()) {
    ASSERT_EQ(row.status, Status::ok) << row.reason;
    if (!model_use(row.work)) {
      EXPECT_GE(row.time.rounds, 3);
      continue;
    }
    EXPECT_EQ(row.time.rounds, 1) << row.row_key();
    const bool says = std::any_of(row.notes.begin(), row.notes.end(), [](const auto& note) {
      return note.starts_with("one round, as loading the model takes ");
    });
    EXPECT_TRUE(says) << row.row_key();
  }
  EXPECT_LE(done, most);  // steps that fell away are not waited for
}

}  // namespace
