#include "measure/sessions.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "machine/cpu_time.h"
#include "sim_runs.h"

namespace {

using namespace ridge;

// Workers whose libraries spin: only the one that is asked does so, in every round.
TEST(Sessions, WhileOneIsTimedTheOthersTakeNoProcessor) {
  const sim_test::Environment environment{{"RIDGE_TEST_MODE", "spin"}};
  const Effort effort = sim_test::effort_of(1, 1);
  const Plan plan = make_plan(sim_test::query_of({{sim_test::gemm(16, 16, 16), {}}}, 3), effort);
  ASSERT_EQ(plan.workers.size(), 3u);
  Sessions sessions(plan.workers, effort, [] { return false; });
  for (int session = 0; session < 2; ++session) {
    std::vector<int64_t> pids;
    for (size_t worker = 0; worker < plan.workers.size(); ++worker) {
      auto client = sessions.get(worker, session);
      ASSERT_TRUE(client) << client.error().message;
      pids.push_back((*client)->pid());
    }
    const auto taken_s = [&](size_t worker) { return process_cpu_s({}, pids[worker]).value(); };
    for (const size_t timed : {1u, 0u, 2u}) {
      ASSERT_TRUE(sessions.get(timed, session));
      for (size_t i = 0; i < pids.size(); ++i) {
        if (i != timed) sim_test::wait_until_stopped(pids[i]);
      }
      std::vector<double> before;
      for (size_t i = 0; i < pids.size(); ++i) before.push_back(taken_s(i));
      auto client = sessions.get(timed, session);
      const auto prepared =
          (*client)->prepare({sim_test::gemm(64, 64, 64), {}, "0", 5}, sim_test::kPatience);
      ASSERT_TRUE(prepared) << prepared.error().message;
      ASSERT_TRUE((*client)->time(
          {.handle = prepared->handle, .most_samples = 1 << 20, .most_ns = 2e8},
          [](const protocol::Samples&) { return true; }, sim_test::kPatience));
      for (size_t i = 0; i < pids.size(); ++i) {
        if (i == timed) {
          EXPECT_GT(taken_s(i), before[i]);
        } else {
          EXPECT_EQ(taken_s(i), before[i]) << "worker " << i << " beside " << timed;
        }
      }
    }
  }
}

}  // namespace
