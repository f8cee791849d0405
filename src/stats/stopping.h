#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "stats/interval.h"
#include "stats/steady.h"

namespace ridge::stats {

// When a round has been measured long enough.
struct StoppingRule {
  double target = 0.01;  // relative half-width of the interval; --fast 0.03, --rigorous 0.005
  double confidence = 0.95;
  double least_s = 0.5;        // steady time
  double most_s = 15;          // of the round, warm-up included
  int64_t least_samples = 20;  // except:
  int64_t few_samples = 6;     // so many will do of long_sample_s or more, if all lie within
  double long_sample_s = 0.1;  // ± target; there is no interval for so few
  double slowest_s = 1;        // time constant of the slowest warm-up to be excluded
  double warm_up_s = 4.5;      // what a round that never got steady counts as warm-up
  SteadyRule steady;

  // The sampler's own proportions for a round that may last `seconds`.
  static StoppingRule for_budget(double seconds, double target = 0.01);
};

enum class Verdict { go_on, precise, out_of_time };

// Why there is no interval, or a poor one. Names of the row's flags. Final with the verdict only.
// `imprecise`: the interval is wider than the target, or a slow change under it is not excluded.
// With two modes the median is no stable number and has no interval; the round is precise once each
// mode's own median is.
enum class Caveat { none, few_samples, autocorrelated, imprecise, not_steady, bimodal };

struct Decision {
  Verdict verdict = Verdict::go_on;
  Caveat caveat = Caveat::few_samples;
  int64_t first_steady = 0;          // index into the round's samples; if not steady, a guess
  std::optional<Interval> interval;  // of the median from there on; null if not steady
  int64_t next_check = 0;            // ask again at so many samples, or when most_s has passed
};

// Pure: all timed samples of the round so far (ns per op, in order; a sample is `ops_per_sample`
// ops) and the seconds since the first of them began. Ask first at `few_samples` samples, then at
// next_check: looking more often would spoil the interval's coverage. The distance between checks
// grows with n, so that all checks of a round together cost O(n).
Decision decide(const StoppingRule& rule, std::span<const double> samples_ns, double ops_per_sample,
                double elapsed_s);

}  // namespace ridge::stats
