#include "simulator.h"

#include "stats/quantile.h"

namespace ridge::stats::sim {
namespace {

constexpr double kBetweenRoundsS = 60;

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {  // splitmix64
    uint64_t x = (seed += 0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    word = x ^ (x >> 31);
  }
}

uint64_t Random::next() {
  const auto rotate = [](uint64_t x, int by) { return (x << by) | (x >> (64 - by)); };
  const uint64_t result = rotate(state_[1] * 5, 7) * 9, t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = rotate(state_[3], 45);
  return result;
}

double Random::uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }

double Random::gaussian() {
  if (spare_) {
    const double value = *spare_;
    spare_.reset();
    return value;
  }
  const double radius = std::sqrt(-2 * std::log(uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

NoiseSource::NoiseSource(const Setting& setting, Random& random)
    : setting_(setting), random_(random) {
  state_ = random_.gaussian();
  if (setting_.noise == Noise::switching_modes) slow_mode_ = random_.uniform() < 0.5;
}

void NoiseSource::step(double phi) {
  state_ = phi * state_ + std::sqrt(1 - phi * phi) * random_.gaussian();
}

double NoiseSource::next() {
  const double cv = setting_.cv;
  switch (setting_.noise) {
    case Noise::gaussian: return cv * random_.gaussian();
    case Noise::ar1: step(setting_.phi); return cv * state_;
    case Noise::student_t3: {
      double squares = 0;
      for (int i = 0; i < 3; ++i) squares += std::pow(random_.gaussian(), 2);
      return cv * random_.gaussian() / std::sqrt(squares / 3);
    }
    case Noise::spikes: {  // 5 % of samples slower by 20 %, give or take a factor of e
      const double spike = random_.uniform() < 0.05 ? 0.2 * std::exp(random_.gaussian()) : 0;
      return cv * random_.gaussian() + spike;
    }
    case Noise::slow_wander:  // not AR(1): white noise hides a slow AR(1) of the same variance
      step(0.95);
      return cv * std::sqrt(0.5) * (state_ + random_.gaussian());
    case Noise::two_modes:
      return cv * random_.gaussian() + (random_.uniform() < 0.5 ? 0.0 : setting_.modes_apart * cv);
    case Noise::switching_modes:
      if (random_.uniform() < 0.1) slow_mode_ = !slow_mode_;
      return cv * random_.gaussian() + (slow_mode_ ? setting_.modes_apart * cv : 0.0);
  }
  return 0;
}

double long_run_median(const Setting& setting) {
  if (setting.noise == Noise::two_modes) return 1 + setting.modes_apart * setting.cv / 2;
  if (setting.noise != Noise::spikes) return 1;
  Random random(1);
  NoiseSource noise(setting, random);
  std::vector<double> values(1'000'000);
  for (double& value : values) value = 1 + noise.next();
  return *median(values);
}

Round run_round(const Setting& setting, double long_run, int round, int of, Random& random) {
  Round result;
  const double started_s = round * kBetweenRoundsS, run_s = of * kBetweenRoundsS;
  const double bias = setting.process_cv * random.gaussian();
  const double base = setting.sample_s * 1e9 * (1 + bias);
  result.truth = base * long_run * (1 + setting.drift * started_s / run_s);
  NoiseSource noise(setting, random);
  while (result.decision.verdict == Verdict::go_on) {
    const double at_s = started_s + result.elapsed_s;
    const double slow = 1 + setting.drift * (at_s / run_s);
    const double cold = 1 + setting.warm_up * std::exp(-result.elapsed_s / setting.warm_up_tau_s);
    const double ns = base * slow * cold * std::max(1 + noise.next(), 0.05);
    result.samples.push_back(ns);
    result.at_s.push_back(at_s);
    result.elapsed_s += ns * 1e-9;
    const bool asked = static_cast<int64_t>(result.samples.size()) >= result.decision.next_check;
    if (asked || result.elapsed_s >= setting.rule.most_s) {
      result.decision = decide(setting.rule, result.samples, 1, result.elapsed_s);
    }
  }
  return result;
}

}  // namespace ridge::stats::sim
