#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

#include "stream_kernels.h"
#include "team.h"
#include "topology.h"
#include "trial.h"

namespace ridge::cpu {
namespace {

TEST(CpuShares, CoverEverythingOnce) {
  for (const int64_t count : {0, 1, 63, 64, 65, 1000, 8192, 100000}) {
    for (const int64_t grain : {1, 64, 8192}) {
      for (const int threads : {1, 2, 3, 7, 64}) {
        int64_t at = 0;
        for (int i = 0; i < threads; ++i) {
          const auto [begin, end] = share_of(count, grain, threads, i);
          EXPECT_EQ(begin, at);
          EXPECT_LE(begin, end);
          EXPECT_TRUE(begin % grain == 0 || begin == count);
          at = end;
        }
        EXPECT_EQ(at, count);
      }
    }
  }
}

TEST(CpuTeam, RunsEveryIndexOnceAndAgainAfterPark) {
  Team team(read_topology().cores);
  for (const int threads : {1, team.cores(), 1, team.cores()}) {
    std::vector<int> seen(100003);
    team.parallel_for(threads, static_cast<int64_t>(seen.size()), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
    });
    for (const int times : seen) ASSERT_EQ(times, 1);
    team.park();
  }
}

TEST(CpuTeam, PassesAnExceptionOn) {
  Team team(read_topology().cores);
  EXPECT_THROW(team.parallel_for(team.cores(), 1000000,
                                 [](int64_t begin, int64_t) {
                                   if (begin == 0) throw std::runtime_error("no");
                                 }),
               std::runtime_error);
}

TEST(CpuTrial, TellsWhatHappened) {
  EXPECT_EQ(trial([] { return true; }), "");
  EXPECT_NE(trial([] { return false; }), "");
  EXPECT_NE(trial([]() -> bool { throw 1; }), "");
  EXPECT_NE(trial([] {
              std::signal(SIGILL, SIG_DFL);
              return std::raise(SIGILL) == 0;
            }).find("signal 4"),
            std::string::npos);
}

TEST(CpuTopology, FindsThisMachine) {
  const Topology topology = read_topology();
  EXPECT_FALSE(topology.cpu_name.empty());
  EXPECT_FALSE(topology.cores.empty());
  EXPECT_GT(topology.memory_bytes, 0);
}

// Nothing before or after the arrays is touched, on every vector extension that this processor has.
TEST(CpuStreamKernels, StayInsideOnEveryTarget) {
  struct Free {
    void operator()(float* at) const { std::free(at); }
  };
  const auto make = [](int64_t count, float value) {
    std::unique_ptr<float, Free> array(
        static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(count) * 4)));
    for (int64_t i = 0; i < count; ++i) array.get()[i] = value;
    return array;
  };
  do {
    SCOPED_TRACE(highway_target());
    for (const int64_t count : {64, 128, 192, 448, 8192, 8192 + 64, 3 * 8192 - 64}) {
      for (const bool bypass : {false, true}) {
        // A guard of 64 elements on both sides.
        auto a = make(count + 128, 2), b = make(count + 128, 3), c = make(count + 128, -7);
        const auto expect_c = [&](float value) {
          for (int64_t i = 0; i < count + 128; ++i) {
            const bool inside = i >= 64 && i < 64 + count;
            ASSERT_EQ(c.get()[i], inside ? value : -7.0f) << i << " of " << count;
          }
        };
        stream_write(5, c.get() + 64, count, bypass);
        expect_c(5);
        stream_copy(a.get() + 64, c.get() + 64, count, bypass);
        expect_c(2);
        stream_triad(a.get() + 64, b.get() + 64, 4, c.get() + 64, count, bypass);
        expect_c(14);
        std::vector<float> sums(static_cast<size_t>((count + 8191) / 8192) + 1, -1);
        stream_read(c.get() + 64, count, sums.data());
        for (size_t j = 0; j + 1 < sums.size(); ++j) {
          const int64_t length = std::min<int64_t>(8192, count - static_cast<int64_t>(j) * 8192);
          EXPECT_EQ(sums[j], 14.0f * static_cast<float>(length));
        }
        EXPECT_EQ(sums.back(), -1);
      }
    }
  } while (drop_best_highway_target());
}

}  // namespace
}  // namespace ridge::cpu
