#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "stats/stopping.h"

namespace ridge::stats::sim {

// Seeded random numbers that are the same with every standard library (xoshiro256**).
class Random {
 public:
  explicit Random(uint64_t seed);
  double uniform();   // in (0, 1)
  double gaussian();  // Box and Muller

 private:
  uint64_t next();
  uint64_t state_[4];
  std::optional<double> spare_;
};

// two_modes: each sample is in one or the other; switching_modes: stays there for ten on average.
enum class Noise { gaussian, ar1, student_t3, spikes, slow_wander, two_modes, switching_modes };

// A worker whose truth is known. Fractions, not percent.
struct Setting {
  std::string name;
  Noise noise = Noise::gaussian;
  double cv = 0.02;         // of one sample (spikes: of the others; two_modes: of each mode)
  double phi = 0;           // of ar1
  double sample_s = 0.005;  // length of a sample
  double warm_up = 0;       // first samples slower by this, decaying …
  double warm_up_tau_s = 0.3;
  double process_cv = 0;   // bias of a round's process
  double drift = 0;        // over the run, linear
  double modes_apart = 6;  // in units of cv
  StoppingRule rule = {};
};

// Deviations of single values from 1, one behind the other.
class NoiseSource {
 public:
  NoiseSource(const Setting& setting, Random& random);
  double next();

 private:
  void step(double phi);
  const Setting& setting_;
  Random& random_;
  double state_ = 0;
  bool slow_mode_ = false;
};

struct Round {
  std::vector<double> samples;  // ns; 1 op a sample
  std::vector<double> at_s;
  Decision decision;
  double elapsed_s = 0;
  double truth = 0;  // median that this process would show in the long run

  std::span<const double> steady() const {
    return std::span<const double>(samples).subspan(static_cast<size_t>(decision.first_steady));
  }
  std::span<const double> steady_at() const {
    return std::span<const double>(at_s).subspan(static_cast<size_t>(decision.first_steady));
  }
};

// Long-run median of a setting without bias, drift and warm-up.
double long_run_median(const Setting& setting);

// One round as the sampler does it: stream samples, ask decide() when it wants to be asked.
// Rounds lie a minute apart, `of` of them make the run over which the drift is spread.
Round run_round(const Setting& setting, double long_run, int round, int of, Random& random);

}  // namespace ridge::stats::sim
