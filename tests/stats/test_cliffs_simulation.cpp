#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "simulator.h"
#include "stats/cliffs.h"
#include "tally.h"

// Planted memories swept in five rounds, and smooth times that have no cliff. The output is the
// table of docs/results/statistics.md.

namespace ridge::stats::sim {
namespace {

struct Level {
  double capacity = 0, value = 0;  // the last level has no capacity
};

struct Probe {
  double cv = 0.01;          // of one round's median
  double wild = 0.01;        // so many medians are 1.3 to 3 times too long
  double process_cv = 0.01;  // bias of a round's process, all sizes alike
  int rounds = 5;
};

using Value = std::function<double(double bytes)>;

std::vector<SweepPoint> sweep(const Probe& probe, const Value& value, Random& random) {
  std::vector<double> bias;
  for (int r = 0; r < probe.rounds; ++r) bias.push_back(1 + probe.process_cv * random.gaussian());
  std::vector<SweepPoint> points;
  for (int quarter = 0; quarter <= 4 * 18; ++quarter) {  // 4 KiB to 1 GiB, whole lines
    const double bytes = std::round(64 * std::exp2(quarter / 4.0)) * 64;
    std::vector<double> medians;
    for (int r = 0; r < probe.rounds; ++r) {
      const double wild = random.uniform() < probe.wild ? 1.3 + 1.7 * random.uniform() : 1;
      medians.push_back(value(bytes) * bias[static_cast<size_t>(r)] * wild *
                        std::max(1 + probe.cv * random.gaussian(), 0.1));
    }
    points.push_back(sweep_point(bytes, medians));
  }
  return points;
}

// Two to four levels, neighbours 1.3 to 10 times apart in value and at least 5 in capacity.
std::vector<Level> random_memory(Random& random) {
  const int levels = 2 + static_cast<int>(3 * random.uniform());
  std::vector<Level> memory;
  double capacity = 16384 * std::exp2(2 * random.uniform()), value = 1 + 4 * random.uniform();
  for (int i = 0; i + 1 < levels; ++i) {
    memory.push_back({capacity, value});
    capacity *= 5 * std::exp2(2.2 * random.uniform());
    value *= 1.3 * std::exp(std::log(10 / 1.3) * random.uniform());
  }
  memory.push_back({0, value});
  return memory;
}

// Mean over accesses; `hits` of a level of capacity C in a working set of W bytes.
Value mean_value(const std::vector<Level>& memory, double (*hits)(double c, double w)) {
  return [=](double bytes) {
    double value = 0, before = 0;
    for (size_t i = 0; i < memory.size(); ++i) {
      const bool last = i + 1 == memory.size();
      const double upto = last ? 1 : hits(memory[i].capacity, bytes);
      value += memory[i].value * (upto - before), before = upto;
    }
    return value;
  };
}

double uniform_hits(double c, double w) { return std::min(c / w, 1.0); }
double in_order_hits(double c, double w) { return w <= c ? 1 : 0; }
// Once round a random cycle, a random line evicted a miss: a line outlives the misses of one round
// with the chance h = exp(-(1 - h)·w/c), by plain iteration.
double cycle_hits(double c, double w) {
  if (w <= c) return 1;
  double h = 0;
  for (int i = 0; i < 100; ++i) h = std::exp(-(1 - h) * w / c);
  return h;
}
// A level shared with others, of which now more, now less is ours.
double shared_hits(double c, double w) {
  double h = 0;
  for (int i = 0; i < 9; ++i) h += uniform_hits(c * (0.8 + 0.05 * i), w) / 9;
  return h;
}

struct Tally {
  Share found, within, covers, any_false;
  std::vector<double> errors, widths, levels;
};

Tally simulate(const Probe& probe, double (*hits)(double, double), int runs) {
  Random random(77);
  Tally tally;
  for (int run = 0; run < runs; ++run) {
    const auto memory = random_memory(random);
    const auto cliffs = *find_cliffs(sweep(probe, mean_value(memory, hits), random));
    size_t matched = 0;
    for (size_t i = 0; i + 1 < memory.size(); ++i) {
      const double capacity = memory[i].capacity, ratio = memory[i + 1].value / memory[i].value;
      const Cliff* nearest = nullptr;
      for (const Cliff& cliff : cliffs.cliffs) {
        const double off = std::fabs(std::log(cliff.capacity.value / capacity));
        if (off < std::log(1.5)) nearest = &cliff;
      }
      matched += nearest != nullptr;
      if (ratio < 1.5) continue;
      tally.found.add(nearest != nullptr);
      const double off = nearest ? nearest->capacity.value / capacity - 1 : 1;
      tally.within.add(std::fabs(off) <= 0.1);
      if (!nearest) continue;
      tally.covers.add(nearest->capacity.interval.contains(capacity));
      tally.errors.push_back(std::fabs(off));
      tally.widths.push_back(nearest->capacity.relative_half_width());
      tally.levels.push_back(std::max(std::fabs(nearest->before / memory[i].value - 1),
                                      std::fabs(nearest->after / memory[i + 1].value - 1)));
    }
    tally.any_false.add(cliffs.cliffs.size() > matched);
  }
  return tally;
}

double quantile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return values.empty() ? NAN
                        : values[static_cast<size_t>(p * static_cast<double>(values.size() - 1))];
}

TEST(SimulationOfCliffs, PlantedOnesAreFound) {
  std::printf(
      "\n| memory | noise of a round | cliffs | found %% | within 10 %% %% | error of C, median "
      "(95 %% of them within) %% | interval holds C %% | its half width, median %% | levels off "
      "by, median %% | runs with a false cliff %% |\n|---|---|---|---|---|---|---|---|---|---|\n");
  struct Form {
    const char* name;
    double (*hits)(double, double);
    double least_within, least_covers;
  };
  const Form forms[] = {
      {"random accesses", uniform_hits, 0.95, 0.9},
      {"random cycle", cycle_hits, 0.95, 0.9},
      {"in order", in_order_hits, 0.93, 0.93},
      {"random accesses, capacities that vary by ±20 %", shared_hits, 0.93, 0},
  };
  for (const Form& form : forms) {
    for (const double cv : {0.005, 0.02, 0.05}) {
      const Tally t = simulate({.cv = cv}, form.hits, 50 * scale());
      std::printf("| %s | %g %% | %lld | %s | %s | %.1f (%.1f) | %s | %.1f | %.1f | %s |\n",
                  form.name, 100 * cv, static_cast<long long>(t.found.of), t.found.text().c_str(),
                  t.within.text().c_str(), 100 * quantile(t.errors, 0.5),
                  100 * quantile(t.errors, 0.95), t.covers.text().c_str(),
                  100 * quantile(t.widths, 0.5), 100 * quantile(t.levels, 0.5),
                  t.any_false.text().c_str());
      std::fflush(stdout);
      EXPECT_GE(t.found.at_least(), 0.97) << form.name << ", " << cv;
      EXPECT_GE(t.within.at_least(), form.least_within) << form.name << ", " << cv;
      EXPECT_GE(t.covers.at_least(), form.least_covers) << form.name << ", " << cv;
      EXPECT_LE(t.any_false.at_most(), 0.05) << form.name << ", " << cv;
    }
  }
}

// Times without a cliff. `spread` in (0, 1) picks one of the kind.
struct Smooth {
  const char* name;
  double (*value)(double bytes, double spread);
};

constexpr double kGiB = 1024.0 * 1024 * 1024;

double octaves(double bytes) { return std::log2(bytes / 4096) / 18; }  // 0 to 1

const Smooth kSmooth[] = {
    {"constant", [](double, double) { return 3.0; }},
    {"time per byte of a + b·bytes, a/b 256 B to 1 MiB",
     [](double bytes, double spread) { return 1 + 256 * std::exp2(12 * spread) / bytes; }},
    {"time a + b·bytes itself, a/b 4 KiB to 1 GiB",
     [](double bytes, double spread) { return 1 + bytes / (4096 * std::exp2(18 * spread)); }},
    {"drift of up to ±20 % from first to last size",
     [](double bytes, double spread) { return 1 + 0.4 * (spread - 0.5) * octaves(bytes); }},
    {"drift of up to 20 % that fades",
     [](double bytes, double spread) { return 1 - 0.2 * spread * std::exp(-5 * octaves(bytes)); }},
    {"value growing by up to 100 % with the logarithm of the size",
     [](double bytes, double spread) { return 1 + spread * octaves(bytes); }},
};

TEST(SimulationOfCliffs, SmoothTimesHaveNone) {
  std::printf(
      "\n| time | noise of a round | rounds | sweeps | a cliff claimed %% "
      "|\n|---|---|---|---|---|\n");
  for (const Smooth& smooth : kSmooth) {
    for (const double cv : {0.005, 0.05}) {
      for (const int rounds : {5, 1}) {
        Random random(5);
        Share claimed;
        for (int run = 0; run < 20 * scale(); ++run) {
          const double spread = random.uniform();
          // One round knows no error of its own: a wild median there looks like any other.
          const Probe probe{.cv = cv, .wild = rounds > 1 ? 0.01 : 0.0, .rounds = rounds};
          const auto points = sweep(
              probe, [&](double bytes) { return smooth.value(bytes, spread); }, random);
          const auto cliffs = *find_cliffs(points);
          claimed.add(!cliffs.cliffs.empty());
        }
        std::printf("| %s | %g %% | %d | %lld | %s |\n", smooth.name, 100 * cv, rounds,
                    static_cast<long long>(claimed.of), claimed.text().c_str());
        std::fflush(stdout);
        EXPECT_LE(claimed.at_most(), 0.05) << smooth.name << ", " << cv;
      }
    }
  }
}

}  // namespace
}  // namespace ridge::stats::sim
