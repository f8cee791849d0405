#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <functional>

#include "simulator.h"
#include "stats/compare.h"
#include "stats/quantile.h"
#include "tally.h"

// What verdicts of a comparison are worth: sides whose truth is known, measured A B B A in rounds,
// or apart. The output is the tables of docs/results/statistics.md.

namespace ridge::stats::sim {
namespace {

constexpr double kMostFalseAlarms = 0.05;
constexpr double kLeastSame = 0.80;
constexpr double kLeastFound = 0.80;
constexpr int kRounds = 20, kBatch = 20;

// How the machine's speed changes over a run, from 0 to 1; drawn anew for every comparison.
enum class Machine { still, linear, sine, steps };
constexpr Machine kMachines[] = {Machine::still, Machine::linear, Machine::sine, Machine::steps};

const char* name(Machine machine) {
  switch (machine) {
    case Machine::still: return "still";
    case Machine::linear: return "5 % slower or faster at the end";
    case Machine::sine: return "a sine of ±5 %, 1 to 5 periods";
    case Machine::steps: break;
  }
  return "three steps of up to ±5 %";
}

std::function<double(double)> draw(Machine machine, Random& random) {
  switch (machine) {
    case Machine::still: break;
    case Machine::linear: {
      const double slope = random.uniform() < 0.5 ? 0.05 : -0.05;
      return [=](double t) { return 1 + slope * t; };
    }
    case Machine::sine: {
      const double periods = 1 + 4 * random.uniform(),
                   phase = 2 * std::numbers::pi * random.uniform();
      return
          [=](double t) { return 1 + 0.05 * std::sin(2 * std::numbers::pi * periods * t + phase); };
    }
    case Machine::steps: {
      std::array<double, 3> at{}, by{};
      for (double& x : at) x = random.uniform();
      for (double& x : by) x = 0.05 * (2 * random.uniform() - 1);
      return [=](double t) {
        double factor = 1;
        for (size_t i = 0; i < at.size(); ++i) factor += t >= at[i] ? by[i] : 0;
        return factor;
      };
    }
  }
  return [](double) { return 1.0; };
}

struct Sides {
  std::vector<double> a, b;  // a round's time of each
};

// A B B A in each round; each side a fresh process. `slower`: b takes so many times as long.
Sides live(const Setting& setting, Machine machine, double slower, Random& random) {
  Sides out;
  NoiseSource noise(setting, random);
  const auto speed = draw(machine, random);
  int visit = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::array<double, 2> bias{1 + setting.process_cv * random.gaussian(),
                                     1 + setting.process_cv * random.gaussian()};
    std::array<double, 2> sum{};
    for (const size_t side : {0, 1, 1, 0}) {
      const double t = visit++ / (4.0 * kRounds);
      sum[side] += bias[side] * speed(t) * (1 + noise.next()) / 2;
    }
    out.a.push_back(sum[0]);
    out.b.push_back(sum[1] * slower);
  }
  return out;
}

// Two runs of so many rounds, each round a fresh process; the machine changed between them by a
// factor of that deviation.
Sides stored(const Setting& setting, int rounds, double slower, double between, Random& random) {
  Sides out;
  for (auto* side : {&out.a, &out.b}) {
    NoiseSource noise(setting, random);
    const double machine = std::exp(between * random.gaussian());
    for (int round = 0; round < rounds; ++round) {
      const double bias = 1 + setting.process_cv * random.gaussian();
      side->push_back(machine * bias * (1 + noise.next()) * (side == &out.b ? slower : 1));
    }
  }
  return out;
}

struct Tally {
  Share faster, slower, same, unclear, alarm, covers;
  std::vector<double> bands;
  void add(const Speedup& speedup, double p, double truth) {
    const double width = band(speedup);
    const SpeedVerdict verdict = judge(speedup, p, width);
    faster.add(verdict == SpeedVerdict::faster);
    slower.add(verdict == SpeedVerdict::slower);
    same.add(verdict == SpeedVerdict::same);
    unclear.add(verdict == SpeedVerdict::unclear);
    alarm.add(verdict == SpeedVerdict::faster || verdict == SpeedVerdict::slower);
    covers.add(speedup.ratio.interval.contains(truth));
    bands.push_back(width);
  }
};

struct Both {
  Tally single, batch;  // each comparison alone; among 20 rows, Holm over them
  Share batches;        // in which any was called FASTER or SLOWER
};

template <class Compare>
Both tally(int comparisons, double truth, Compare&& compare) {
  Both out;
  for (int batch = 0; batch < comparisons / kBatch; ++batch) {
    std::vector<Speedup> speedups;
    std::vector<double> p;
    for (int i = 0; i < kBatch; ++i) {
      speedups.push_back(*compare());
      p.push_back(speedups.back().p_value);
      out.single.add(speedups.back(), p.back(), truth);
    }
    const auto adjusted = holm(p);
    const int64_t before = out.batch.alarm.hits;
    for (size_t i = 0; i < speedups.size(); ++i) out.batch.add(speedups[i], adjusted[i], truth);
    out.batches.add(out.batch.alarm.hits > before);
  }
  return out;
}

std::vector<Setting> settings() {
  const double apart = 2 * std::sqrt(3.0);  // modes of 1 % so far apart: CV 2 %
  return {
      {.name = "Gaussian", .noise = Noise::gaussian, .cv = 0.02},
      {.name = "Student t3", .noise = Noise::student_t3, .cv = 0.02 / std::sqrt(3.0)},
      {.name = "AR(1) 0.6", .noise = Noise::ar1, .cv = 0.02, .phi = 0.6},
      {.name = "2 %, and 5 % spikes", .noise = Noise::spikes, .cv = 0.02},
      {.name = "switching modes",
       .noise = Noise::switching_modes,
       .cv = 0.01,
       .modes_apart = apart},
      {.name = "slow wander", .noise = Noise::slow_wander, .cv = 0.02},
  };
}

TEST(SimulationOfCompare, Live) {
  Random random(20250301);
  const int comparisons = 2000 * scale();
  std::puts(
      "| visits' noise, CV 2 % | machine | A/A: FASTER or SLOWER % | SAME % | UNCLEAR % | interval "
      "holds 1 % | band, median % | 20 rows, Holm: FASTER or SLOWER % | SAME % | any of 20 % | "
      "5 %: found % | 20 rows: found % | 15 %: found % |");
  for (Setting setting : settings()) {
    setting.process_cv = 0.01;
    for (const Machine machine : kMachines) {
      const std::string what = setting.name + ", " + name(machine);
      const auto run = [&](double slower, int count) {
        return tally(count, 1 / slower, [&] {
          const Sides sides = live(setting, machine, slower, random);
          return paired_speedup(sides.a, sides.b);
        });
      };
      const Both aa = run(1, comparisons);
      Share found5, found5_batch, found15, wrong;
      for (const double part : {0.05, 0.15}) {
        const int count = comparisons / 2;
        const Both slow = run(1 + part, count), fast = run(1 / (1 + part), count);
        for (const auto& [of, share] :
             {std::pair{&Both::single, part < 0.1 ? &found5 : &found15},
              std::pair{&Both::batch, part < 0.1 ? &found5_batch : &found15}}) {
          share->hits += (slow.*of).slower.hits + (fast.*of).faster.hits;
          share->of += (slow.*of).slower.of + (fast.*of).faster.of;
          wrong.hits += (slow.*of).faster.hits + (fast.*of).slower.hits;
        }
      }
      std::printf("| %s | %s | %s | %s | %s | %s | %.1f | %s | %s | %s | %s | %s | %s |\n",
                  setting.name.c_str(), name(machine), aa.single.alarm.text().c_str(),
                  aa.single.same.text().c_str(), aa.single.unclear.text().c_str(),
                  aa.single.covers.text().c_str(), 100 * *median(aa.single.bands),
                  aa.batch.alarm.text().c_str(), aa.batch.same.text().c_str(),
                  aa.batches.text().c_str(), found5.text().c_str(), found5_batch.text().c_str(),
                  found15.text().c_str());
      std::fflush(stdout);
      EXPECT_LE(aa.single.alarm.at_most(), kMostFalseAlarms) << what;
      EXPECT_LE(aa.batch.alarm.at_most(), kMostFalseAlarms) << what;
      EXPECT_GE(aa.single.same.at_least(), kLeastSame) << what;
      EXPECT_GE(aa.batch.same.at_least(), kLeastSame) << what;
      EXPECT_GE(found5.at_least(), kLeastFound) << what;
      if (setting.noise == Noise::spikes) {  // whose CV is 12 %, spikes included
        EXPECT_GE(found15.at_least(), 0.99) << what;
      } else {
        EXPECT_GE(found5_batch.at_least(), kLeastFound) << what;
        EXPECT_EQ(found15.hits, found15.of) << what;
      }
      EXPECT_EQ(wrong.hits, 0) << what;
    }
  }
}

TEST(SimulationOfCompare, Stored) {
  Random random(20250302);
  const int comparisons = 4000 * scale();
  std::puts(
      "| rounds' noise, CV 2 % | machine between runs | A/A: FASTER or SLOWER % | SAME % | "
      "interval "
      "holds 1 % | band, median % | 20 rows, Holm: FASTER or SLOWER % | 15 %: found % |");
  for (Setting setting : settings()) {
    setting.process_cv = 0.01;
    for (const double between : {0.0, 0.01, 0.03, 0.07}) {
      const auto run = [&](double slower, int count) {
        return tally(count, 1 / slower, [&] {
          const Sides sides = stored(setting, 5, slower, between, random);
          return independent_speedup(sides.a, sides.b);
        });
      };
      const Both aa = run(1, comparisons), slow = run(1.15, comparisons / 4);
      std::printf("| %s | %.0f %% | %s | %s | %s | %.1f | %s | %s |\n", setting.name.c_str(),
                  100 * between, aa.single.alarm.text().c_str(), aa.single.same.text().c_str(),
                  aa.single.covers.text().c_str(), 100 * *median(aa.single.bands),
                  aa.batch.alarm.text().c_str(), slow.single.slower.text().c_str());
      std::fflush(stdout);
      // Rounds that hang together are a change between the runs, too: reported only.
      const bool apart = setting.noise == Noise::gaussian || setting.noise == Noise::student_t3 ||
                         setting.noise == Noise::spikes;
      if (between > 0 || !apart) continue;
      EXPECT_LE(aa.single.alarm.at_most(), kMostFalseAlarms) << setting.name;
      EXPECT_LE(aa.batch.alarm.at_most(), kMostFalseAlarms) << setting.name;
    }
  }
}

}  // namespace
}  // namespace ridge::stats::sim
