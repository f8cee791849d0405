#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "simulator.h"
#include "stats/line.h"
#include "tally.h"

// Planted a and b, measured in rounds whose processes have a bias of their own. The output is the
// table of docs/results/statistics.md.
//
// The oracle of a width is 2 · 1.96 standard deviations, over all simulations of a cell, of the fit
// by one who knows the noise of every point beforehand (least squares, its inverse squares as
// weights).

namespace ridge::stats::sim {
namespace {

enum class Tail { gaussian, student_t3, spikes };

struct Device {
  const char* name;
  double cv = 0.02;
  Tail tail = Tail::gaussian;
  double constant = 0;  // noise that every time has, as a part of the time of one op
  double process_cv = 0.01;
};

double noise(Tail tail, Random& random) {
  switch (tail) {
    case Tail::gaussian: return random.gaussian();
    case Tail::student_t3: {
      double squares = 0;
      for (int i = 0; i < 3; ++i) squares += std::pow(random.gaussian(), 2);
      return random.gaussian() / std::sqrt(squares / 3);
    }
    case Tail::spikes:  // one in a hundred far too slow
      return random.gaussian() + (random.uniform() < 0.01 ? 10 * std::exp(random.gaussian()) : 0);
  }
  return 0;
}

struct Cell {
  Share shown, a_covers, b_covers;
  std::vector<double> a_oracle, b_oracle;  // estimates by the known noise
  double a_width = 0, b_width = 0;
};

struct Known {
  double a = 0, b = 0;
};

// The mean over rounds of fits weighted by the true noise.
Known oracle_fit(const std::vector<double>& k, const std::vector<std::vector<double>>& rounds,
                 const std::vector<double>& sigma) {
  Known mean;
  for (const auto& round : rounds) {
    double w = 0, wk = 0, wt = 0, wkk = 0, wkt = 0;
    for (size_t i = 0; i < k.size(); ++i) {
      const double weight = 1 / (sigma[i] * sigma[i]);
      w += weight, wk += weight * k[i], wt += weight * round[i];
      wkk += weight * k[i] * k[i], wkt += weight * k[i] * round[i];
    }
    const double b = (w * wkt - wk * wt) / (w * wkk - wk * wk);
    mean.b += b / static_cast<double>(rounds.size());
    mean.a += (wt - b * wk) / w / static_cast<double>(rounds.size());
  }
  return mean;
}

Cell simulate(const Device& device, double a_over_b, int rounds, int runs) {
  const double b = 10, a = a_over_b * b;
  std::vector<double> k, sigma;
  for (double ops = 1; ops <= 1024; ops *= 2) {
    k.push_back(ops);
    sigma.push_back(device.cv * std::hypot(a + b * ops, device.constant / device.cv * (a + b)));
  }
  Random random(20240607 + static_cast<uint64_t>(rounds));
  Cell cell;
  for (int run = 0; run < runs; ++run) {
    std::vector<std::vector<double>> medians(static_cast<size_t>(rounds));
    for (auto& round : medians) {
      const double bias = 1 + device.process_cv * random.gaussian();
      for (const double ops : k) {
        const double time = (a + b * ops) * bias * (1 + device.cv * noise(device.tail, random)) +
                            device.constant * (a + b) * random.gaussian();
        round.push_back(std::max(time, 0.01 * (a + b)));
      }
    }
    const Known known = oracle_fit(k, medians, sigma);
    cell.a_oracle.push_back(known.a), cell.b_oracle.push_back(known.b);
    const Line line = fit_line(k, medians);
    cell.shown.add(line.verdict == LineVerdict::fits);
    if (line.verdict != LineVerdict::fits) continue;
    cell.a_covers.add(line.a_interval->contains(a));
    cell.b_covers.add(line.b_interval->contains(b));
    cell.a_width += line.a_interval->width(), cell.b_width += line.b_interval->width();
  }
  cell.a_width /= static_cast<double>(cell.shown.hits) * 2 * 1.96 * deviation(cell.a_oracle);
  cell.b_width /= static_cast<double>(cell.shown.hits) * 2 * 1.96 * deviation(cell.b_oracle);
  return cell;
}

TEST(SimulationOfLines, PlantedCostsLieInTheIntervals) {
  const Device devices[] = {
      {.name = "1 %", .cv = 0.01},
      {.name = "5 %", .cv = 0.05},
      {.name = "0.1 %", .cv = 0.001},
      {.name = "2 %, and 20 % of t(1)", .cv = 0.02, .constant = 0.2},
      {.name = "Student t3, 3 %", .cv = 0.03, .tail = Tail::student_t3},
      {.name = "2 %, spikes in 1 %", .cv = 0.02, .tail = Tail::spikes},
  };
  std::printf(
      "\n| noise | a / b | a covered, 3 (5, 7) rounds %% | b covered %% | a: width / oracle | b: "
      "width / oracle | called no line %% |\n|---|---|---|---|---|---|---|\n");
  // Student's quantile of 3, 5 and 7 rounds over 1.96, and what c4 takes off the mean deviation.
  const double theory[] = {1.95, 1.33, 1.20};
  for (const Device& device : devices) {
    for (const double a_over_b : {0.1, 1.0, 10.0, 100.0, 1000.0}) {
      std::string a_text, b_text, a_width, b_width, no_line;
      for (int i = 0; i < 3; ++i) {
        const int rounds = 3 + 2 * i;
        const Cell cell = simulate(device, a_over_b, rounds, 400 * scale());
        const std::string where =
            std::string(device.name) + ", a/b " + ratio(a_over_b) + ", " + std::to_string(rounds);
        EXPECT_GE(cell.a_covers.at_least(), 0.93) << where;
        EXPECT_GE(cell.b_covers.at_least(), 0.93) << where;
        EXPECT_LE(cell.a_width, 1.3 * theory[i]) << where;
        EXPECT_LE(cell.b_width, 1.3 * theory[i]) << where;
        EXPECT_GE(cell.shown.at_least(), 0.95) << where;
        const auto join = [&](const std::string& text) {
          return i == 0 ? text : i == 1 ? " (" + text : ", " + text + ")";
        };
        a_text += join(cell.a_covers.text()), b_text += join(cell.b_covers.text());
        a_width += join(ratio(cell.a_width)), b_width += join(ratio(cell.b_width));
        no_line += join(ratio(100 * (1 - cell.shown.value())));
      }
      std::printf("| %s | %g | %s | %s | %s | %s | %s |\n", device.name, a_over_b, a_text.c_str(),
                  b_text.c_str(), a_width.c_str(), b_width.c_str(), no_line.c_str());
      std::fflush(stdout);
    }
  }
}

// What is no line must be called none: a step of a queue that fills, a bend, one path for 1 op.
TEST(SimulationOfLines, DeparturesAreFound) {
  const auto found = [](double cv, auto time) {
    Random random(4);
    Share share;
    for (int run = 0; run < 200 * scale(); ++run) {
      std::vector<double> k;
      std::vector<std::vector<double>> rounds(5);
      for (double ops = 1; ops <= 1024; ops *= 2) k.push_back(ops);
      for (auto& round : rounds) {
        const double bias = 1 + 0.01 * random.gaussian();
        for (const double ops : k) {
          round.push_back(time(ops) * bias * (1 + cv * random.gaussian()));
        }
      }
      share.add(fit_line(k, rounds).verdict == LineVerdict::not_a_line);
    }
    return share;
  };
  std::printf("\n| departure, a / b 100 | noise %% | called no line %% |\n|---|---|---|\n");
  for (const double cv : {0.01, 0.03}) {
    const auto line = [](double ops) { return 100 + ops; };
    const Share step = found(cv, [&](double ops) { return line(ops) * (ops > 64 ? 1.3 : 1.0); });
    const Share bend = found(cv, [&](double ops) { return 100 + ops * (1 + ops / 1024); });
    const Share path = found(cv, [&](double ops) { return line(ops) * (ops < 2 ? 0.6 : 1.0); });
    std::printf("| 30 %% slower from 128 ops | %g | %s |\n", 100 * cv, step.text().c_str());
    std::printf("| an op twice as dear at 1024 | %g | %s |\n", 100 * cv, bend.text().c_str());
    std::printf("| one op takes a way of its own, 40 %% faster | %g | %s |\n", 100 * cv,
                path.text().c_str());
    for (const Share& share : {step, bend, path}) EXPECT_GE(share.at_least(), 0.9) << cv;
  }
}

}  // namespace
}  // namespace ridge::stats::sim
