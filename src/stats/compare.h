#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "stats/interval.h"

namespace ridge::stats {

// How much faster b is than a: the ratio of their times a / b, above 1 where b is faster.
struct Speedup {
  Estimate ratio;      // 95 % interval unless asked otherwise
  double p_value = 1;  // two-sided, of a ratio of 1
  double degrees = 0;  // of freedom, of the variance
};

// a[i] and b[i] were measured beside each other (the two visits of each in one round of A B B A,
// averaged), so that drift which both share cancels. From 12 pairs: signed ranks of the logarithms
// of their ratios, exact where the sides are alike (each might as well have been the other), and
// not blind where some visits are wild: with 5 % of visits 20 % slower or more, 20 rows looked at,
// a difference of 5 % is found in 78 of 100 cases, by Student's t in 53. Below: Student's t.
// nullopt below 3 pairs, for different lengths, or a time that is not positive and finite.
std::optional<Speedup> paired_speedup(std::span<const double> a, std::span<const double> b,
                                      double confidence = 0.95);

// a and b were measured apart: Welch's t on the logarithms, the ratio that of geometric means; each
// value is one launch's (a round in a fresh process, or a whole run). What changed between two runs
// is not in the rounds of either: where each side is one run, the interval is too narrow by that.
// nullopt below 3 values a side.
std::optional<Speedup> independent_speedup(std::span<const double> a, std::span<const double> b,
                                           double confidence = 0.95);

// Adjusted for having looked at all of them (Holm 1979), in the order given, at most 1.
std::vector<double> holm(std::span<const double> p_values);

enum class SpeedVerdict { faster, slower, same, unclear };
std::string_view name(SpeedVerdict verdict);

struct SpeedRule {
  // Of the adjusted p-value. Half of what an A/A comparison may come to (5 %): rounds that hang
  // together make more false alarms than the level says.
  double level = 0.025;
  double least_band = 0.01;  // differences up to here matter to nobody
  double most_band = 0.10;   // noise never makes the band wider than this
};

// Within what the two count as equally fast, as a part of the time: what the noise forces. An A/A
// comparison whose interval is ± h falls within ± 1.85 h, interval and all, in 90 of 100 cases; so
// the band is 1.85 times the half-width, but at least and at most what the rule says.
double band(const Speedup& speedup, const SpeedRule& rule = {});

// same: the whole interval lies within the band. faster, slower: the adjusted p-value is below the
// level and the ratio further from 1 than the least band. Else unclear.
SpeedVerdict judge(const Speedup& speedup, double adjusted_p, double band,
                   const SpeedRule& rule = {});

}  // namespace ridge::stats
