// A live comparison: which rows meet, in which order and processes, and what a side that fails
// costs.

#include "measure/live.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "paths.h"
#include "sim_runs.h"

namespace {

using namespace ridge;
using sim_test::effort_of;
using sim_test::gemm;
using sim_test::hot;
using Variables = std::vector<std::pair<std::string, std::string>>;

// A request as the simulated worker noted it.
struct Request {
  std::string pid, side, verb, salt;
};

class Live : public ::testing::Test {
 protected:
  Live()
      : folder_(std::filesystem::temp_directory_path() /
                ("ridge-live-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Live() override { std::filesystem::remove_all(folder_); }

  // One side's worker: the simulated one, with variables of its own.
  WorkerFile worker(const std::string& side, const Variables& variables,
                    const std::string& name = "sim") {
    const auto path = folder_ / (side + name);
    std::ofstream script(path);
    script << "#!/bin/sh\necho \"$$ side " << side << "\" >> " << log()
           << "\nexport RIDGE_TEST_LOG=" << log() << "\n";
    for (const auto& [key, value] : variables) script << "export " << key << "=" << value << "\n";
    script << "exec " << paths::worker() << " \"$@\"\n";
    script.close();
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return {name, path.string()};
  }

  LivePlan plan_of(const std::vector<SuiteItem>& items, const Effort& effort,
                   const Variables& of_a = {}, const Variables& of_b = {}) {
    LiveSide a, b;
    a.query.items = b.query.items = items;
    a.query.workers = {worker("A", of_a)};
    b.query.workers = {worker("B", of_b)};
    LivePlan live = make_live_plan(a, b, effort);
    std::ofstream(log(), std::ios::trunc);  // of what measures alone
    return live;
  }

  std::vector<Request> requests() const {
    std::map<std::string, std::string> sides;
    std::vector<Request> out;
    std::ifstream file(log());
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      Request request;
      words >> request.pid >> request.verb >> request.salt;
      if (request.verb == "side") {
        sides[request.pid] = request.salt;
      } else {
        request.side = sides[request.pid];
        out.push_back(request);
      }
    }
    return out;
  }

  std::string log() const { return (folder_ / "log").string(); }

  std::filesystem::path folder_;
};

std::vector<SuiteItem> three_items() {
  return {{gemm(16, 16, 16), {}}, {gemm(17, 16, 16), {}}, {gemm(18, 16, 16), {}}};
}

bool never() { return false; }

TEST_F(Live, PairsTheRowsOfBothSides) {
  const LivePlan live = plan_of(three_items(), effort_of(2, 1));
  ASSERT_EQ(live.pairs.size(), 3u);
  ASSERT_EQ(live.plan.rows.size(), 6u);
  EXPECT_EQ(live.plan.workers.size(), 2u);
  for (size_t i = 0; i < 3; ++i) {
    const PlannedRow &a = live.plan.rows[live.pairs[i].a], &b = live.plan.rows[live.pairs[i].b];
    EXPECT_EQ(work_key(a.work), work_key(three_items()[i].work));
    EXPECT_EQ(work_key(a.work), work_key(b.work));
    EXPECT_TRUE(live.plan.workers[a.worker].file.path.ends_with("Asim"));
    EXPECT_TRUE(live.plan.workers[b.worker].file.path.ends_with("Bsim"));
    EXPECT_FALSE(a.skip || b.skip);
  }
}

TEST_F(Live, WhatOneSideCannotDoIsMeasuredOnNeither) {
  LiveSide a, b;
  a.query.items = {{gemm(16, 16, 16), {}},
                   {gemm(17, 16, 16), {}},
                   {Sustained{Gemm{.m = 16, .n = 16, .k = 16}, 2}, {}}};
  b.query.items = a.query.items;
  b.query.items[0].settings.form = Form::packed;
  a.query.workers = {worker("A", {}), worker("A", {}, "other")};
  b.query.workers = {worker("B", {})};
  const LivePlan live = make_live_plan(a, b, effort_of(2, 1));
  const auto skip = [&](size_t row) { return live.plan.rows[row].skip.value_or(""); };
  std::set<std::pair<std::string, std::string>> reasons;
  for (const RowPair& pair : live.pairs) {
    EXPECT_EQ(work_key(live.plan.rows[pair.a].work), work_key(live.plan.rows[pair.b].work));
    EXPECT_EQ(skip(pair.a).empty(), skip(pair.b).empty());
    reasons.emplace(skip(pair.a), skip(pair.b));
  }
  const std::string other = "not measured: the other side cannot run it",
                    length = "sets its own length: it cannot be visited in turn with another",
                    absent = "this side has no such worker and device";
  EXPECT_EQ(live.pairs.size(), 6u);
  EXPECT_EQ(reasons, (std::set<std::pair<std::string, std::string>>{{"", ""},
                                                                    {other, "sim packs nothing"},
                                                                    {length, length},
                                                                    {other, absent},
                                                                    {length, absent}}));
}

TEST_F(Live, AWorkerThatDoesNotStartTakesItsPartnerAlong) {
  LiveSide a, b;
  a.query.items = b.query.items = three_items();
  a.query.workers = {worker("A", {})};
  b.query.workers = {{"sim", "/bin/true"}};
  const LivePlan live = make_live_plan(a, b, effort_of(2, 1));
  ASSERT_EQ(live.pairs.size(), 3u);
  for (const RowPair& pair : live.pairs) {
    EXPECT_EQ(live.plan.rows[pair.a].skip, "not measured: the other side cannot run it");
    EXPECT_EQ(live.plan.rows[pair.b].skip, "hello: exited with code 0");
    EXPECT_EQ(live.plan.rows[pair.b].skip_status, Status::failed);
  }
}

TEST_F(Live, WorkersThatBothSidesNameMeetWhateverTheirNames) {
  LiveSide a, b;
  a.query.items = b.query.items = three_items();
  a.query.workers = {worker("A", {}, "one")};
  b.query.workers = {worker("B", {}, "two")};
  a.names_worker = b.names_worker = true;
  std::set<std::string> asked;
  a.query.wanted = [&](const std::string& key) {
    asked.insert(key);
    return key.find("17x16x16@two") != std::string::npos;  // a filter that fits B's key alone
  };
  const LivePlan live = make_live_plan(a, b, effort_of(2, 1));
  ASSERT_EQ(live.pairs.size(), 1u);
  EXPECT_EQ(work_key(live.plan.rows[live.pairs[0].a].work), work_key(gemm(17, 16, 16)));
  EXPECT_TRUE(asked.contains(row_key(gemm(17, 16, 16), {}, "one", "0")));
  a.names_worker = b.names_worker = false;
  a.query.wanted = nullptr;
  const LivePlan alone = make_live_plan(a, b, effort_of(2, 1));
  ASSERT_EQ(alone.pairs.size(), 6u) << "else none has a partner, and all are told of";
  for (const RowPair& pair : alone.pairs) {
    const PlannedRow &x = alone.plan.rows[pair.a], &y = alone.plan.rows[pair.b];
    EXPECT_TRUE(x.skip && y.skip);
    EXPECT_EQ(alone.plan.workers[x.worker].file.name, alone.plan.workers[y.worker].file.name);
  }
}

TEST_F(Live, ARowIsInOnePairOnly) {
  LiveSide a, b;
  a.query.items = {{gemm(16, 16, 16), hot()}, {gemm(16, 16, 16), {}}};
  b.query.items = {{gemm(16, 16, 16), hot()}, {gemm(16, 16, 16), hot()}};  // --side cache=hot
  a.query.workers = {worker("A", {})};
  b.query.workers = {worker("B", {})};
  const LivePlan live = make_live_plan(a, b, effort_of(2, 1));
  ASSERT_EQ(live.pairs.size(), 1u);
  EXPECT_EQ(live.plan.rows[live.pairs[0].a].settings.cache, CacheMode::cold);
  EXPECT_EQ(live.plan.rows[live.pairs[0].b].settings.cache, CacheMode::hot);
}

// The worker's own notes of three rounds of two pairs.
TEST_F(Live, VisitsAreAbbaInFreshProcessesWithFreshInputsAndTheOtherSideParked) {
  std::vector<SuiteItem> items = three_items();
  items.pop_back();
  LivePlan live = plan_of(items, effort_of(6, 0.5));
  Runner runner(live.plan, {}, never);
  const RunTotals totals = runner.compare(live.pairs);
  EXPECT_FALSE(totals.interrupted);
  for (const Row& row : runner.rows()) {
    EXPECT_EQ(row.status, Status::ok) << row.reason;
    EXPECT_EQ(row.time.rounds, 6) << "two visits in each of three rounds";
  }

  std::vector<Request> visits;
  std::map<std::string, size_t> visit_of_salt;
  std::map<std::string, std::string> last;  // what each live process was asked last
  size_t parks = 0;
  for (const Request& request : requests()) {
    if (request.verb == "prepare") {
      visits.push_back(request);
      for (const auto& [pid, verb] : last) {
        if (pid == request.pid) continue;
        EXPECT_TRUE(verb == "park" || verb == "hello") << verb << " before visit " << visits.size();
      }
    }
    if (request.salt != "-" && request.verb != "check") {
      const auto [at, first] = visit_of_salt.emplace(request.salt, visits.size());
      EXPECT_EQ(at->second, visits.size()) << "a salt that another visit had";
    }
    parks += request.verb == "park";
    last[request.pid] = request.verb;
    if (request.verb == "bye") last.erase(request.pid);
  }
  EXPECT_TRUE(last.empty()) << "everyone was sent home";
  EXPECT_GE(visit_of_salt.size(), 2 * visits.size()) << "of prepare and of time";
  EXPECT_GE(parks, 6u) << "within each pair A parks, then B";

  ASSERT_EQ(visits.size(), 24u);
  std::set<std::string> pids;
  for (size_t round = 0; round < 3; ++round) {
    std::set<std::string> of_round;
    for (size_t i = 8 * round; i < 8 * (round + 1); ++i) {
      EXPECT_EQ(visits[i].side, std::string(round % 2 == 0 ? "ABBA" : "BAAB").substr(i % 4, 1));
      of_round.insert(visits[i].side + visits[i].pid);
    }
    EXPECT_EQ(of_round.size(), 2u) << "one process a side and round";
    pids.insert(of_round.begin(), of_round.end());
  }
  EXPECT_EQ(pids.size(), 6u) << "and none of another round";
}

// A parked worker that dies of it, or refuses, is no reason to lose anything.
TEST_F(Live, AParkThatFailsCostsNothing) {
  for (const std::string fault : {"polite@park", "exit@park", "garbage@park"}) {
    LivePlan live =
        plan_of({{gemm(16, 16, 16), {}}}, effort_of(4, 0.2), {}, {{"RIDGE_TEST_MODE", fault}});
    Runner runner(live.plan, {}, never);
    runner.compare(live.pairs);
    for (const Row& row : runner.rows()) {
      EXPECT_EQ(row.status, Status::ok) << fault << ": " << row.reason;
      EXPECT_EQ(row.time.rounds, 4) << fault;
    }
  }
}

// On either side: the pair ends there, both others are measured to the end.
TEST_F(Live, AFaultCostsItsPairOnly) {
  for (const bool of_b : {false, true}) {
    for (const std::string mode : {"segv@prepare", "segv@time", "polite@prepare", "transpose"}) {
      SCOPED_TRACE(mode + (of_b ? " of B" : " of A"));
      const Variables faulty = {{"RIDGE_TEST_MODE", mode}, {"RIDGE_TEST_WORK", "17x16x16"}};
      LivePlan live = plan_of(three_items(), effort_of(4, 0.3), of_b ? Variables{} : faulty,
                              of_b ? faulty : Variables{});
      std::map<size_t, Row> told;
      size_t visited = 0;
      Listener listener;
      listener.visiting = [&](size_t row) { visited = row; };
      listener.row = [&](const Row& row) { told[visited] = row; };
      Runner runner(live.plan, listener, never);
      runner.compare(live.pairs);
      const auto rows = runner.rows();
      for (const size_t pair : {0, 2}) {
        for (const size_t row : {live.pairs[pair].a, live.pairs[pair].b}) {
          EXPECT_EQ(rows[row].status, Status::ok) << rows[row].reason;
          EXPECT_EQ(rows[row].time.rounds, 4);
        }
      }
      const size_t bad = of_b ? live.pairs[1].b : live.pairs[1].a,
                   good = of_b ? live.pairs[1].a : live.pairs[1].b;
      EXPECT_EQ(rows[bad].status, mode == "transpose" ? Status::incorrect : Status::failed);
      EXPECT_FALSE(rows[bad].rate.value);
      EXPECT_EQ(told.at(bad).reason, rows[bad].reason);
      // A comes first in the first round, so B is never measured where A fails.
      EXPECT_EQ(rows[good].time.rounds, of_b ? 1 : 0);
      if (!of_b) {
        EXPECT_EQ(rows[good].status, Status::failed);
        EXPECT_EQ(rows[good].reason, "not measured: the other side failed before");
        ASSERT_TRUE(told.contains(good)) << "a row that will never come is told of, too";
        EXPECT_EQ(told.at(good).reason, rows[good].reason);
      }
    }
  }
}

TEST_F(Live, ALateFaultKeepsTheRoundsBefore) {
  const auto once = folder_ / "once";
  std::ofstream(once) << "";  // it cannot strike while this file is there
  LivePlan live = plan_of(three_items(), effort_of(6, 0.3), {},
                          {{"RIDGE_TEST_MODE", "segv@time"},
                           {"RIDGE_TEST_WORK", "18x16x16"},
                           {"RIDGE_TEST_ONCE", once.string()}});
  int visits = 0;
  Listener listener;
  listener.row = [&](const Row&) {
    if (++visits == 12) std::filesystem::remove(once);  // after the first round
  };
  Runner runner(live.plan, listener, never);
  runner.compare(live.pairs);
  const auto rows = runner.rows();
  const Row &a = rows[live.pairs[2].a], &b = rows[live.pairs[2].b];
  EXPECT_EQ(b.status, Status::failed);
  EXPECT_NE(b.reason.find("(after 2 good rounds)"), std::string::npos) << b.reason;
  EXPECT_EQ(b.time.rounds, 2);
  EXPECT_EQ(a.status, Status::ok);
  EXPECT_EQ(a.time.rounds, 2) << "B comes first in the second round";
  for (const size_t pair : {0, 1}) EXPECT_EQ(rows[live.pairs[pair].a].time.rounds, 6);
}

// Whenever it comes: the visits of the order so far stand, so no side has a round more than the
// other has begun.
TEST_F(Live, AnInterruptKeepsTheVisitsSoFar) {
  const std::string order = "ABBABAABABBA";
  for (size_t stop = 1; stop <= order.size(); ++stop) {
    LivePlan live = plan_of({{gemm(16, 16, 16), {}}}, effort_of(6, 0.1));
    size_t seen = 0;
    Listener listener;
    listener.row = [&](const Row&) { ++seen; };
    Runner runner(live.plan, listener, [&] { return seen >= stop; });
    const RunTotals totals = runner.compare(live.pairs);
    EXPECT_TRUE(totals.interrupted);
    const auto rows = runner.rows();
    const std::string done = order.substr(0, stop);
    EXPECT_EQ(rows[live.pairs[0].a].time.rounds, std::count(done.begin(), done.end(), 'A'));
    EXPECT_EQ(rows[live.pairs[0].b].time.rounds, std::count(done.begin(), done.end(), 'B'));
  }
}

// However much longer one side takes.
TEST_F(Live, BothSidesHaveEqualSeconds) {
  LivePlan live = plan_of(three_items(), effort_of(6, 0.6), {}, {{"RIDGE_TEST_LEAST", "20000"}});
  size_t looked = 0;
  double most = 0;
  Listener listener;
  listener.progress = [&](double, size_t, size_t, const std::string&) {
    ++looked;
    for (const RowPair& pair : live.pairs) {
      const double seconds = live.plan.rows[pair.a].seconds;
      EXPECT_GT(seconds, 0);
      EXPECT_EQ(seconds, live.plan.rows[pair.b].seconds);
      most = std::max(most, seconds);
    }
  };
  Runner runner(live.plan, listener, never);
  runner.compare(live.pairs);
  EXPECT_GE(looked, 36u);
  EXPECT_GE(most, 0.05) << "three ops of the slower side, for both";
  for (const Row& row : runner.rows()) EXPECT_EQ(row.status, Status::ok) << row.reason;
}

}  // namespace
