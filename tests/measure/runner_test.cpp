// The runner: order, processes, what is kept when things go wrong.

#include "measure/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "sim_runs.h"

namespace {

using namespace ridge;
using sim_test::effort_of;
using sim_test::Environment;
using sim_test::gemm;
using sim_test::hot;
using sim_test::query_of;
using sim_test::visit_all;

std::vector<SuiteItem> three_items() {
  return {{gemm(16, 16, 16), {}}, {gemm(17, 16, 16), hot()}, {gemm(18, 16, 16), {}}};
}

std::string scratch_file(const std::string& name) {
  const auto path =
      std::filesystem::temp_directory_path() / ("ridge-" + name + "-" + std::to_string(::getpid()));
  std::filesystem::remove(path);
  return path.string();
}

TEST(Runner, ARowMayTakePartInFewerRounds) {
  std::vector<SuiteItem> items = three_items();
  items[1].rounds = 2;
  Plan plan = make_plan(query_of(items), effort_of(5, 0.1));
  size_t most = 0;
  Listener listener;
  listener.progress = [&](double, size_t, size_t all, const std::string&) {
    if (most == 0) most = all;
  };
  Runner runner(plan, listener, [] { return false; });
  runner.run();
  EXPECT_EQ(most, 5u + 2u + 5u);
  const auto rows = runner.rows();
  EXPECT_GE(rows[1].time.rounds, 2);
  EXPECT_GE(rows[0].time.rounds, 5);
  EXPECT_LT(rows[1].time.rounds, rows[0].time.rounds + 1);
}

TEST(Runner, TellsRowsAsTheyAreMeasured) {
  Plan plan = make_plan(query_of(three_items()), effort_of(3, 0.1));
  size_t rows = 0, etas = 0;
  std::map<std::string, std::vector<int64_t>> rounds_of;
  Listener listener;
  listener.row = [&](const Row& row) {
    ++rows;
    EXPECT_EQ(row.status, Status::ok) << row.reason;
  };
  listener.samples = [&](const RoundSamples& samples) {
    rounds_of[samples.row_key].push_back(samples.round);
    EXPECT_EQ(samples.start_ns.size(), samples.ns.size());
    EXPECT_FALSE(samples.ns.empty());
  };
  listener.progress = [&](double eta_s, size_t done, size_t all, const std::string&) {
    ++etas;
    EXPECT_GE(eta_s, 0);
    EXPECT_LE(done, all);
  };
  Runner runner(plan, listener, [] { return false; });
  const RunTotals totals = runner.run();
  EXPECT_GE(rows, 9u);
  EXPECT_GE(etas, 9u);
  EXPECT_FALSE(totals.interrupted);
  EXPECT_GT(totals.measuring_s, 0);
  EXPECT_LE(totals.measuring_s, totals.wall_s);
  ASSERT_EQ(rounds_of.size(), 3u);
  for (const auto& [key, rounds] : rounds_of) {
    for (size_t i = 0; i < rounds.size(); ++i) EXPECT_EQ(rounds[i], static_cast<int64_t>(i));
    EXPECT_GE(rounds.size(), 3u) << key;
  }
  for (const Row& row : runner.rows()) {
    EXPECT_GE(row.time.rounds, 3);
    EXPECT_EQ(row.time.round_medians_ns.size(), static_cast<size_t>(row.time.rounds));
    ASSERT_TRUE(row.rate.value);
    EXPECT_DOUBLE_EQ(*row.rate.value, row.cost.rate_work() * 1e9 / *row.time.median_ns);
  }
}

// Work that sets its own length is measured once, whatever the rounds, and tells what lasts.
TEST(Runner, SustainedWorkIsMeasuredOnce) {
  const Workload lasting = Sustained{Gemm{.m = 64, .n = 64, .k = 64}, 2};
  Plan plan = make_plan(query_of({{lasting, {}}, {gemm(16, 16, 16), {}}}), effort_of(3, 0.1));
  double told_eta = 0;
  Listener listener;
  listener.progress = [&](double eta_s, size_t done, size_t all, const std::string&) {
    if (done == 0) told_eta = std::max(told_eta, eta_s);
    EXPECT_LE(done, all);
  };
  Runner runner(plan, listener, [] { return false; });
  const RunTotals totals = runner.run();
  EXPECT_GT(told_eta, 2);
  EXPECT_GT(totals.measuring_s, 1.9);
  const auto rows = runner.rows();
  ASSERT_EQ(rows[0].status, Status::ok) << rows[0].reason;
  EXPECT_EQ(rows[0].time.rounds, 1);
  EXPECT_GE(rows[1].time.rounds, 3);
  ASSERT_GE(rows[0].values.size(), 3u);
  EXPECT_EQ(rows[0].values[0].name, "burst");
  EXPECT_EQ(rows[0].values[1].name, "sustained");
  const double rate = *rows[0].rate.value;
  EXPECT_NEAR(rows[0].values[1].value / rate, 1, 0.8) << "FLOPs, not ops";
}

// The best of several rows gets a round more than the rest, all else being equal.
TEST(Runner, AWinnerIsMeasuredAgain) {
  Effort effort = effort_of(3, 0.3);
  effort.round_target = 1e6;  // no row is wide
  Plan plan = make_plan(query_of(three_items()), effort);
  Runner runner(plan, {}, [] { return false; });
  runner.run();
  const auto rows = runner.rows();
  // 16 and 18 are cold and compete; 17 is hot and alone.
  EXPECT_EQ(rows[0].time.rounds + rows[2].time.rounds, 7);
  EXPECT_EQ(rows[1].time.rounds, 3);
}

TEST(Runner, EveryRoundHasAFreshProcess) {
  Plan plan = make_plan(query_of({{gemm(16, 16, 16), {}}, {gemm(8, 8, 8), {}}}), effort_of(1, 1));
  for (PlannedRow& row : plan.rows) row.seconds = 0.01;
  std::map<int, std::string> kernels;
  // assemble() shows the kernel of the first round; so every session is a run of its own here.
  for (const Schedule& schedule : {Schedule{{0, 0}, {1, 0}}, Schedule{{0, 0}, {1, 1}}}) {
    Runner runner(plan, {}, [] { return false; });
    runner.run(schedule);
    const auto rows = runner.rows();
    EXPECT_TRUE(rows[0].kernel.starts_with("sim, pid ")) << rows[0].kernel;
    EXPECT_EQ(rows[0].kernel == rows[1].kernel, schedule[0].session == schedule[1].session);
  }
}

TEST(Runner, FollowsAbbaWithTwoWorkers) {
  Plan plan = make_plan(query_of({{gemm(32, 32, 32), hot()}}, 2), effort_of(1, 1));
  ASSERT_EQ(plan.rows.size(), 2u);
  EXPECT_NE(plan.rows[0].worker, plan.rows[1].worker);
  Schedule schedule;
  int session = 0;
  for (const size_t row : {0, 1, 1, 0, 0, 1, 1, 0}) schedule.push_back({row, session++});
  for (PlannedRow& row : plan.rows) row.seconds = 0.01;
  std::vector<std::string> order;
  Listener listener;
  listener.samples = [&](const RoundSamples& samples) {
    order.push_back(samples.row_key.find("@sim0:") != std::string::npos ? "A" : "B");
  };
  Runner runner(plan, listener, [] { return false; });
  runner.run(schedule);
  EXPECT_EQ(order, (std::vector<std::string>{"A", "B", "B", "A", "A", "B", "B", "A"}));
  for (const Row& row : runner.rows()) EXPECT_EQ(row.time.rounds, 4);
}

// One row's fault is that row's alone: status, cause and last words are right, the rest stands.
TEST(Runner, AFaultCostsItsRowOnly) {
  const std::map<std::string, std::string> faults = {
      {"exit", "exited with code 3"},          {"abort", "killed by signal 6"},
      {"segv", "killed by signal 11"},         {"illegal", "killed by signal 4"},
      {"garbage", "wrote what is no message"}, {"half", "after half a line"},
      {"long-line", "more than 16 MiB"},       {"kill", "most likely out of memory"},
      {"child", "exited with code 3"},         {"close", "closed its stdout"},
      {"strangers", "that nobody made"},       {"wide", "more than 1000000 values"}};
  for (const auto& [fault, says] : faults) {
    for (const std::string verb : {"prepare", "check", "time"}) {
      SCOPED_TRACE(fault + "@" + verb);
      const Environment environment{{"RIDGE_TEST_MODE", fault + "@" + verb},
                                    {"RIDGE_TEST_WORK", "17x16x16"}};
      const auto rows = visit_all(three_items(), effort_of(1, 1), 0.005);
      ASSERT_EQ(rows.size(), 3u);
      EXPECT_EQ(rows[0].status, Status::ok) << rows[0].reason;
      EXPECT_EQ(rows[2].status, Status::ok) << rows[2].reason;
      EXPECT_EQ(rows[1].status, Status::failed);
      EXPECT_TRUE(rows[1].reason.starts_with(verb + ": ")) << rows[1].reason;
      EXPECT_NE(rows[1].reason.find(says), std::string::npos) << rows[1].reason;
      EXPECT_FALSE(rows[1].rate.value);
      ASSERT_FALSE(rows[1].stderr_tail.empty());
      EXPECT_EQ(rows[1].stderr_tail.back(), "sim: these were its last words");
    }
  }
}

// Three rows under a short deadline, which binds the honest ones, too: where the machine itself
// kept one of them waiting for longer, it is tried again.
std::vector<Row> visit_in_a_hurry() {
  for (int turn = 0;; ++turn) {
    auto rows = visit_all(three_items(), effort_of(1, 1, 2), 0.005);
    const bool late =
        (rows[0].reason + rows[2].reason).find("no answer within") != std::string::npos;
    if (!late || turn == 2) return rows;
  }
}

TEST(Runner, AHangCostsItsRowOnly) {
  for (const std::string fault : {"hang", "drip", "blank-lines"}) {
    for (const std::string verb : {"prepare", "check", "time"}) {
      SCOPED_TRACE(fault + "@" + verb);
      const Environment environment{{"RIDGE_TEST_MODE", fault + "@" + verb},
                                    {"RIDGE_TEST_WORK", "17x16x16"}};
      const auto rows = visit_in_a_hurry();
      EXPECT_EQ(rows[0].status, Status::ok) << rows[0].reason;
      EXPECT_EQ(rows[2].status, Status::ok) << rows[2].reason;
      EXPECT_EQ(rows[1].status, Status::failed);
      EXPECT_NE(rows[1].reason.find(verb + ": no answer within 2 s"), std::string::npos)
          << rows[1].reason;
    }
  }
}

// What is odd, but no lie: nothing is held against the row.
TEST(Runner, OdditiesCostNothing) {
  for (const std::string mode :
       {"slow@prepare", "slow@time", "event@prepare", "event@check", "event@time", "event@release",
        "twice@check", "flood@time", "flood-line@prepare", "handle-0", "huge-handle", "unicode"}) {
    const Environment environment{{"RIDGE_TEST_MODE", mode}};
    for (const Row& row : visit_all(three_items(), effort_of(2, 1), 0.005)) {
      EXPECT_EQ(row.status, Status::ok) << mode << ": " << row.reason;
      EXPECT_EQ(row.time.rounds, 2) << mode;
    }
  }
}

// However it leaves, and whether it leaves at all.
TEST(Runner, AFaultAtTheEndHarmsNoRow) {
  for (const std::string fault :
       {"exit", "abort", "segv", "illegal", "kill", "child", "garbage", "polite", "close"}) {
    for (const std::string verb : {"release", "bye"}) {
      const Environment environment{{"RIDGE_TEST_MODE", fault + "@" + verb}};
      for (const Row& row : visit_all(three_items(), effort_of(2, 1), 0.005)) {
        EXPECT_EQ(row.status, Status::ok) << fault << "@" << verb << ": " << row.reason;
        EXPECT_EQ(row.time.rounds, 2) << fault << "@" << verb;
      }
    }
  }
}

TEST(Runner, AnEndlessStreamCostsItsRowOnly) {
  const Environment environment{{"RIDGE_TEST_MODE", "endless"}, {"RIDGE_TEST_WORK", "17x16x16"}};
  const auto rows = visit_in_a_hurry();
  EXPECT_EQ(rows[0].status, Status::ok) << rows[0].reason;
  EXPECT_EQ(rows[1].status, Status::failed) << rows[1].reason;
  EXPECT_EQ(rows[2].status, Status::ok) << rows[2].reason;
}

TEST(Runner, AnErrorInGoodOrderKeepsTheProcess) {
  const Environment environment{{"RIDGE_TEST_MODE", "polite@prepare"},
                                {"RIDGE_TEST_WORK", "17x16x16"}};
  const auto rows = visit_all(three_items(), effort_of(1, 1), 0.005);
  EXPECT_EQ(rows[1].status, Status::failed);
  EXPECT_EQ(rows[1].reason, "prepare: sim: no, thank you");
  EXPECT_EQ(rows[0].kernel, rows[2].kernel) << "the same process did both";
}

// Dies in the second of three rounds: the row ends there, its good round is told of and kept.
TEST(Runner, ALateFaultKeepsWhatWasGood) {
  const std::string once = scratch_file("once");
  size_t kept = 0;
  Plan plan = make_plan(query_of(three_items()), effort_of(3, 1));
  Schedule schedule;
  for (PlannedRow& row : plan.rows) row.seconds = 0.005;
  for (const int session : {0, 1, 2}) {
    for (const size_t row : {0, 1, 2}) schedule.push_back({row, session});
  }
  Listener listener;
  const Environment environment{
      {"RIDGE_TEST_MODE", "segv@time"}, {"RIDGE_TEST_ONCE", once}, {"RIDGE_TEST_WORK", "18x16x16"}};
  std::ofstream(once) << "";  // not in the first round
  listener.samples = [&](const RoundSamples& samples) {
    ++kept;
    if (samples.row_key.find("18x16x16") != std::string::npos) std::filesystem::remove(once);
  };
  Runner runner(plan, listener, [] { return false; });
  runner.run(schedule);
  std::filesystem::remove(once);
  const auto rows = runner.rows();
  EXPECT_EQ(rows[0].time.rounds, 3);
  EXPECT_EQ(rows[1].time.rounds, 3);
  EXPECT_EQ(rows[2].status, Status::failed);
  EXPECT_NE(rows[2].reason.find("(after 1 good round"), std::string::npos) << rows[2].reason;
  EXPECT_TRUE(rows[2].time.median_ns) << "what was measured stays in the file";
  EXPECT_FALSE(rows[2].rate.value);
  EXPECT_EQ(kept, 7u);
}

// A worker that starts once (for the plan) and never again.
TEST(Runner, AWorkerThatDoesNotComeBack) {
  Plan plan = make_plan(query_of(three_items()), effort_of(1, 1));
  for (PlannedRow& row : plan.rows) row.seconds = 0.005;
  const Environment environment{{"RIDGE_TEST_MODE", "exit@hello"}};
  Runner runner(plan, {}, [] { return false; });
  runner.run({{0, 0}, {1, 0}, {2, 0}});
  for (const Row& row : runner.rows()) {
    EXPECT_EQ(row.status, Status::failed);
    EXPECT_EQ(row.reason, "hello: exited with code 3 (stderr: sim: these were its last words)");
  }
}

TEST(Runner, AWorkerThatNeverStartsFailsItsRowsOnly) {
  PlanQuery query = query_of(three_items());
  query.workers.push_back({"true", "/bin/true"});
  Plan plan = make_plan(query, effort_of(1, 1));
  EXPECT_EQ(plan.rows.size(), 6u);
  for (PlannedRow& row : plan.rows) row.seconds = 0.005;
  Runner runner(plan, {}, [] { return false; });
  runner.run({{0, 0}, {1, 0}, {2, 0}});
  const auto rows = runner.rows();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(rows[i].status, Status::ok);
  for (size_t i = 3; i < 6; ++i) {
    EXPECT_EQ(rows[i].status, Status::failed);
    EXPECT_EQ(rows[i].reason, "hello: exited with code 0");
  }
}

TEST(Runner, AFaultAtSupportsTellsItsLastWords) {
  const Environment environment{{"RIDGE_TEST_MODE", "abort@supports"}};
  for (const Row& row : visit_all(three_items(), effort_of(1, 1), 0.005)) {
    EXPECT_EQ(row.status, Status::failed);
    EXPECT_TRUE(row.reason.starts_with("supports: killed by signal 6")) << row.reason;
    ASSERT_FALSE(row.stderr_tail.empty());
    EXPECT_EQ(row.stderr_tail.back(), "sim: these were its last words");
  }
}

TEST(Runner, AnInterruptKeepsFinishedRows) {
  Plan plan = make_plan(query_of(three_items()), effort_of(1, 1));
  for (PlannedRow& row : plan.rows) row.seconds = 0.005;
  bool asked = false;
  Listener listener;
  listener.row = [&](const Row&) { asked = true; };
  Runner runner(plan, listener, [&] { return asked; });
  const RunTotals totals = runner.run({{0, 0}, {1, 0}, {2, 0}});
  EXPECT_TRUE(totals.interrupted);
  EXPECT_EQ(runner.rows()[0].status, Status::ok);
  EXPECT_EQ(runner.rows()[1].time.rounds, 0);
}

TEST(Runner, UnsupportedRowsAreToldWithTheirReason) {
  Plan plan = make_plan(query_of({{gemm(8, 8, 8, DType::int8), {}}, {gemm(8, 8, 8), {}}}),
                        effort_of(3, 0.1));
  std::vector<Row> told;
  Listener listener;
  listener.row = [&](const Row& row) { told.push_back(row); };
  Runner runner(plan, listener, [] { return false; });
  runner.run();
  ASSERT_GE(told.size(), 4u);
  EXPECT_EQ(told[0].status, Status::unsupported);
  EXPECT_EQ(told[0].reason, "sim: f32, f64 only");
}

}  // namespace
