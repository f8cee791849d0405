#include "stats/steady.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "stats/autocorrelation.h"
#include "stats/blocks.h"
#include "stats/quantile.h"

namespace ridge::stats {
namespace {

constexpr int64_t kLeastBlocks = 3;
constexpr int64_t kTestableBlocks = 6;  // from here on the blocks' own scatter is the yardstick
constexpr int64_t kTailBlocks = 16;     // from here on the scatter of the later half alone

constexpr size_t kTellingSamples = 40;  // show their noise and its autocorrelation
constexpr double kTimeConstants = 4;

struct Noise {
  double deviation = 0;  // of one block
  double inflation = 1;  // of the variance of a mean, by autocorrelation
};

double mean(std::span<const double> x) {
  double sum = 0;
  for (const double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

// Scatter about a straight line, so that a trend is not taken for noise.
Noise noise_about_line(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  const double centre = mean(x), middle = (n - 1) / 2;
  double sxx = 0, sxy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double t = static_cast<double>(i) - middle;
    sxx += t * t;
    sxy += t * (x[i] - centre);
  }
  double squares = 0, products = 0, before = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double residual = x[i] - centre - sxy / sxx * (static_cast<double>(i) - middle);
    squares += residual * residual;
    if (i > 0) products += residual * before;
    before = residual;
  }
  if (!(squares > 0)) return {};
  const double r1 = products / squares;
  const double r = std::clamp(r1 + (2 + 4 * r1) / n, 0.0, 0.95);
  return {std::sqrt(squares / (n - 2)), (1 + r) / (1 - r)};
}

Noise noise_about_two_means(std::span<const double> head, std::span<const double> rest) {
  double squares = 0;
  for (const auto part : {head, rest}) {
    const double centre = mean(part);
    for (const double value : part) squares += (value - centre) * (value - centre);
  }
  return {std::sqrt(squares / static_cast<double>(head.size() + rest.size() - 2)), 1};
}

// Student's t at 95 %, to a percent.
double critical(double degrees) { return 1.96 * (1 + 1.2 / degrees + 1.6 / (degrees * degrees)); }

// 0 if the blocks agree from the first to the last, else how many at the head stand out.
// `block_noise`: standard error of a block's median as the samples show it, 0 if too few do.
int64_t blocks_that_differ(std::span<const double> x, double block_noise, const SteadyRule& rule) {
  const auto n = static_cast<int64_t>(x.size());
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  const double range = *most - *least;
  if (range <= rule.always_agree) return 0;
  if (n < kTestableBlocks) {
    // 3.5 sigma: the range of 3 to 5 Gaussian values stays below it 96 to 90 % of the time.
    return range <= std::max(rule.few_blocks_agree, 3.5 * block_noise) ? 0 : 1;
  }
  const bool use_tail = n >= kTailBlocks;
  Noise tail{.deviation = block_noise};
  double degrees = 60;
  if (block_noise == 0) {
    if (use_tail) tail = noise_about_line(x.subspan(x.size() / 2));
    degrees = static_cast<double>(use_tail ? n / 2 : n) - 2;
  }
  for (int64_t k = 1; k <= n / 2; k *= 2) {
    const auto head = x.first(static_cast<size_t>(k)), rest = x.subspan(static_cast<size_t>(k));
    const Noise noise = block_noise > 0 || use_tail ? tail : noise_about_two_means(head, rest);
    const double difference = std::fabs(mean(head) - mean(rest));
    const double error = noise.deviation * std::sqrt(noise.inflation / static_cast<double>(k) +
                                                     noise.inflation / static_cast<double>(n - k));
    if (difference > rule.always_agree && difference > critical(degrees) * error) return k;
  }
  return 0;
}

// What is left of samples without their trend, as a fraction of their median: the line through the
// medians of the two halves.
std::vector<double> without_trend(std::span<const double> samples) {
  const size_t half = samples.size() / 2;
  const double first = *median(samples.first(half)), last = *median(samples.subspan(half));
  const double middle = std::midpoint(first, last);
  const double per_sample = (last - first) / (static_cast<double>(samples.size()) / 2);
  std::vector<double> residual(samples.begin(), samples.end());
  for (size_t i = 0; i < residual.size(); ++i) {
    const double place = static_cast<double>(i) - static_cast<double>(residual.size() - 1) / 2;
    residual[i] = (residual[i] - per_sample * place) / middle - 1;
  }
  return residual;
}

// Standard error of a block's median, from the later half of the samples and their autocorrelation.
// Without their trend, or a ramp would pass for noise that is strongly correlated.
double noise_of_blocks(std::span<const double> samples, std::span<const Block> blocks) {
  const auto later = samples.subspan(samples.size() / 2);
  const double per_block = static_cast<double>(samples.size()) / static_cast<double>(blocks.size());
  if (later.size() < kTellingSamples || per_block < 4) return 0;
  const std::vector<double> residual = without_trend(later);
  const double deviation = kMadToSigma * *median_absolute_deviation(residual, *median(residual));
  return 1.2533 * deviation * std::sqrt(variance_inflation(residual).likely / per_block);
}

// How many blocks after a warm-up of `start` the tail of its decay may still hide in the noise:
// 4 time constants, as the fall from the first block to the noise shows them.
double hidden_tail(std::span<const double> x, int64_t start, double block_noise) {
  const auto steady = x.subspan(static_cast<size_t>(start));
  const double fall = std::fabs(x[0] - *median(steady));
  const double efolds = block_noise > 0 ? std::log(fall / block_noise) : 1;
  return kTimeConstants * static_cast<double>(start) / std::max(efolds, 1.0);
}

}  // namespace

std::optional<int64_t> steady_start(std::span<const double> samples_ns, double ops_per_sample,
                                    const SteadyRule& rule) {
  size_t discarded = 0;
  double seen_s = 0;
  for (const double ns : samples_ns) {
    if (seen_s < rule.discard_s) ++discarded;
    seen_s += ns * ops_per_sample * 1e-9;
  }
  const auto samples = samples_ns.subspan(discarded);
  if (static_cast<int64_t>(samples_ns.size()) < rule.least_samples) return std::nullopt;
  if (seen_s < std::max(rule.least_s, rule.discard_s)) return std::nullopt;
  const auto blocks = timed_blocks(samples, ops_per_sample, rule.block_s, rule.least_block_samples);
  const auto count = static_cast<int64_t>(blocks.size());
  if (count < kLeastBlocks) return std::nullopt;

  std::vector<double> x;
  x.reserve(blocks.size());
  for (const Block& block : blocks) x.push_back(std::log(block.median));
  const double noise = noise_of_blocks(samples, blocks);
  const int64_t needed = std::max(kLeastBlocks, (count + 2) / 3);

  for (int64_t start = 0; count - start >= needed;) {
    const auto suffix = std::span<const double>(x).subspan(static_cast<size_t>(start));
    const int64_t differ = blocks_that_differ(suffix, noise, rule);
    if (differ == 0) {
      const bool scarce = blocks.back().count == 1;
      const int64_t wanted =
          scarce ? start + (start + 1) / 2
                 : std::max(start + static_cast<int64_t>(std::ceil(hidden_tail(x, start, noise))),
                            count / 3);
      if (!scarce && count - wanted < needed) return std::nullopt;
      const int64_t kept = std::min(wanted, count - needed);
      return static_cast<int64_t>(discarded) +
             blocks[static_cast<size_t>(std::max(start, kept))].first;
    }
    start += (differ + 1) / 2;
  }
  return std::nullopt;
}

std::optional<double> change_of_halves(std::span<const double> samples_ns) {
  if (samples_ns.size() < 4) return std::nullopt;
  const size_t half = samples_ns.size() / 2;
  const double first = *median(samples_ns.first(half));
  if (!(first > 0)) return std::nullopt;
  return *median(samples_ns.subspan(half)) / first - 1;
}

}  // namespace ridge::stats
