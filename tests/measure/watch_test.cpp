// The rules of telemetry on readings that were made up: what is said is what was put in, and what
// was not put in is not said.

#include "measure/watch.h"

#include <gtest/gtest.h>

#include "measure/assemble.h"

namespace {

using namespace ridge;

// `watts` of the package and `core_share` of it in the cores, for `seconds`, five readings a
// second, two processors of which the first works all the time at `hz`.
struct Made {
  double seconds = 2, hz = 3e9, watts = 100, core_share = 0.7;
  int64_t start_uj = 1'000'000, range_uj = 262'143'328'850;

  std::vector<EnergyDomain> domains() const {
    return {{"package-0", "p", "p", range_uj}, {"core", "c", "p", range_uj}};
  }
  std::vector<Reading> readings() const {
    std::vector<Reading> out;
    for (int i = 0; i <= static_cast<int>(seconds * 5 + 0.5); ++i) {
      Reading reading;
      const double at = 0.2 * i;
      reading.at_s = at;
      reading.cpu = CpuTime{100 + at, 7, 1000 + 2 * at, 0, {50 + at, 50}};
      reading.clock_hz = {hz, 4e8};  // the second sleeps at 400 MHz
      reading.temperature_celsius = 50 + i;
      reading.load1 = 1.5;
      reading.hot_events = 4;
      reading.power_events = 0;
      const auto gained = static_cast<int64_t>(at * watts * 1e6);
      reading.energy_uj = {(start_uj + gained) % range_uj,
                           static_cast<int64_t>(static_cast<double>(gained) * core_share)};
      out.push_back(reading);
    }
    return out;
  }
};

TEST(Judge, AQuietMachine) {
  const Made made;
  const Watched w = judge(made.readings(), made.domains(), 2.4e9, {2.0, {}});
  EXPECT_EQ(w.telemetry.readings, 11);
  EXPECT_DOUBLE_EQ(w.telemetry.clock_median_mhz.value(), 3000);  // not that of the sleeping one
  EXPECT_DOUBLE_EQ(w.telemetry.clock_min_mhz.value(), 3000);
  EXPECT_DOUBLE_EQ(w.telemetry.temperature_max_celsius.value(), 60);
  EXPECT_DOUBLE_EQ(w.telemetry.steal_percent.value(), 0);
  EXPECT_DOUBLE_EQ(w.telemetry.load1_max.value(), 1.5);
  EXPECT_EQ(w.telemetry.throttle_events, 0);
  EXPECT_NEAR(w.power_w.value(), 100, 0.01);
  EXPECT_TRUE(w.disturbed.empty());
  EXPECT_FALSE(w.contended || w.swapping || w.throttled_power || w.throttled_thermal ||
               w.clock_idle);
}

TEST(Judge, NothingToldIsNothingSaid) {
  const std::vector<std::vector<Reading>> cases = {
      {}, std::vector<Reading>(1), std::vector<Reading>(7)};
  for (const auto& readings : cases) {
    const Watched w = judge(readings, {}, std::nullopt, {});
    const RowTelemetry& t = w.telemetry;
    EXPECT_FALSE(t.clock_median_mhz || t.clock_min_mhz || t.clock_max_mhz ||
                 t.temperature_max_celsius || t.steal_percent || t.load1_max || t.throttle_events ||
                 t.energy_j_per_op || w.power_w);
    EXPECT_FALSE(w.contended || w.swapping || w.throttled_power || w.throttled_thermal ||
                 w.clock_idle);
  }
}

TEST(Judge, EnergyThatWrapsIsTheSame) {
  Made made;
  made.start_uj = made.range_uj - 50'000'000;  // wraps after half a second
  EXPECT_NEAR(judge(made.readings(), made.domains(), {}, {}).power_w.value(), 100, 0.01);
  auto domains = made.domains();
  domains[0].range_uj = 0;
  EXPECT_FALSE(judge(made.readings(), domains, {}, {}).power_w);
}

TEST(Judge, EnergyIsNullWhereItIsNotAgreedOn) {
  Made brief;
  brief.seconds = 0.2;
  EXPECT_FALSE(judge(brief.readings(), brief.domains(), {}, {}).power_w);
  Made odd;  // more in the cores than in the whole package
  odd.core_share = 1.5;
  EXPECT_FALSE(judge(odd.readings(), odd.domains(), {}, {}).power_w);
  Made still;  // a counter that does not move, as some hypervisors show
  still.watts = 0;
  EXPECT_FALSE(judge(still.readings(), still.domains(), {}, {}).power_w);
  const Made made;
  auto readings = made.readings();  // the second half takes 1.5 times as much as the first
  for (size_t i = 6; i < readings.size(); ++i) {
    readings[i].energy_uj[0] = *readings[i].energy_uj[0] + static_cast<int64_t>(i - 5) * 10'000'000;
  }
  EXPECT_FALSE(judge(readings, made.domains(), {}, {}).power_w);
  readings = made.readings();
  readings[3].energy_uj[0] = std::nullopt;
  EXPECT_FALSE(judge(readings, made.domains(), {}, {}).power_w);
}

TEST(Judge, ThrottlingIsFoundInItsWindow) {
  auto readings = Made{}.readings();
  for (size_t i = 4; i < readings.size(); ++i) readings[i].hot_events = 9;
  Watched w = judge(readings, {}, {}, {});
  EXPECT_TRUE(w.throttled_thermal);
  EXPECT_FALSE(w.throttled_power);
  EXPECT_EQ(w.telemetry.throttle_events, 5);
  ASSERT_EQ(w.disturbed.size(), 1u);
  EXPECT_EQ(w.disturbed[0].what, "throttled");
  EXPECT_NEAR(w.disturbed[0].from_ns, 0.6e9, 1);
  EXPECT_NEAR(w.disturbed[0].to_ns, 0.8e9, 1);
  for (size_t i = 5; i < readings.size(); ++i) readings[i].power_events = 1;
  w = judge(readings, {}, {}, {});
  EXPECT_TRUE(w.throttled_power);
  ASSERT_EQ(w.disturbed.size(), 1u) << "windows that touch are one";
  EXPECT_NEAR(w.disturbed[0].to_ns, 1.0e9, 1);
}

TEST(Judge, StealIsFoundInItsWindowAndCountsAsContention) {
  auto readings = Made{}.readings();
  for (size_t i = 2; i < readings.size(); ++i) {
    readings[i].cpu->steal_s += i >= 3 ? 0.3 : 0.15;  // 0.15 s in each of two windows
  }
  const Watched w = judge(readings, {}, {}, {2.0, {}});
  EXPECT_TRUE(w.contended);
  ASSERT_EQ(w.disturbed.size(), 1u);
  EXPECT_EQ(w.disturbed[0].what, "steal");
  EXPECT_NEAR(w.disturbed[0].from_ns, 0.2e9, 1);
  EXPECT_NEAR(w.disturbed[0].to_ns, 0.6e9, 1);
  EXPECT_NEAR(w.telemetry.steal_percent.value(), 100 * 0.3 / 4, 1e-9);
}

TEST(Judge, OthersAreContendedAndOursAreNot) {
  const auto readings = Made{}.readings();  // 2 s of work
  EXPECT_FALSE(judge(readings, {}, {}, {2.0, {}}).contended);
  EXPECT_FALSE(judge(readings, {}, {}, {1.9, {}}).contended);  // 0.1 s of 2: 5 %
  EXPECT_TRUE(judge(readings, {}, {}, {1.5, {}}).contended);
  EXPECT_FALSE(judge(readings, {}, {}, {}).contended);
}

// A round of 20 ms is too short for ticks to tell; that its threads had to wait tells it.
TEST(Judge, WaitingForAProcessorIsContention) {
  const auto long_ones = Made{}.readings();  // 2 s, 2 s of work
  auto brief = long_ones;
  brief.resize(2);
  brief[1].at_s = brief[0].at_s + 0.02;
  brief[1].cpu->busy_s = brief[0].cpu->busy_s;
  const auto contended = [](const auto& readings, double used_s, double waited_s, int64_t times) {
    return judge(readings, {}, {}, {used_s, Waited{waited_s, times}}).contended;
  };
  EXPECT_FALSE(contended(brief, 0, 0.002, 2));
  EXPECT_TRUE(contended(brief, 0, 0.01, 4));
  EXPECT_FALSE(contended(brief, 0, 0.01, 400)) << "25 us each is what waking up takes";
  EXPECT_FALSE(contended(long_ones, 1.95, 0.09, 20));
  EXPECT_TRUE(contended(long_ones, 1.95, 0.15, 20));
  // More threads than processors wait for each other: nobody else did anything.
  EXPECT_FALSE(contended(long_ones, 2.0, 1.5, 500));
}

TEST(Judge, AClockThatSleepsIsIdle) {
  Made made;
  made.hz = 8e8;
  EXPECT_TRUE(judge(made.readings(), {}, 2.4e9, {}).clock_idle);
  EXPECT_FALSE(judge(made.readings(), {}, std::nullopt, {}).clock_idle);
  made.hz = 1.9e9;  // wide vectors below the base clock
  EXPECT_FALSE(judge(made.readings(), {}, 2.4e9, {}).clock_idle);
}

// Readings that take t are followed by so long a pause that they cost a thousandth at most.
TEST(Watch, ReadingsCostAThousandthHoweverSlowTheyAre) {
  for (const double took : {0.0, 1e-5, 2e-4, 1e-3, 0.05, 1.0}) {
    const double pause = pause_after(took);
    EXPECT_GE(pause, 0.2);
    EXPECT_LE(took / (took + pause), 0.001);
  }
}

KeptRound round_with(const Watched& watched) {
  KeptRound round;
  for (int i = 0; i < 100; ++i) {
    round.outcome.ns.push_back(1000 + i % 7);
    round.outcome.start_ns.push_back(1e6 * i);
  }
  round.outcome.check.verdict = CheckOutcome::Verdict::passed;
  round.outcome.watched = watched;
  return round;
}

Row row_of(int rounds, int bad, const Watched& watched) {
  PlannedRow planned;
  planned.device = "0";
  planned.work = Gemm{.m = 10, .n = 10, .k = 10};
  std::vector<KeptRound> all;
  for (int i = 0; i < rounds; ++i) all.push_back(round_with(i < bad ? watched : Watched{}));
  return assemble(planned, "w", {}, all, std::nullopt);
}

TEST(Assemble, WhatTheMachineDidInMoreThanAQuarterOfTheRoundsIsTheRows) {
  struct Case {
    bool Watched::*seen;
    Flag flag;
  };
  for (const Case& c : {Case{&Watched::contended, Flag::contended},
                        {&Watched::throttled_power, Flag::throttled_power},
                        {&Watched::throttled_thermal, Flag::throttled_thermal},
                        {&Watched::clock_idle, Flag::clock_idle},
                        {&Watched::low_power_mode, Flag::low_power_mode},
                        {&Watched::on_battery, Flag::on_battery}}) {
    Watched watched;
    watched.*c.seen = true;
    EXPECT_FALSE(row_of(5, 0, watched).has(c.flag));
    EXPECT_FALSE(row_of(5, 1, watched).has(c.flag));
    EXPECT_TRUE(row_of(5, 2, watched).has(c.flag));
    EXPECT_TRUE(row_of(3, 1, watched).has(c.flag));
  }
}

TEST(Assemble, TelemetryIsTakenTogetherOverTheRounds) {
  Watched watched;
  watched.telemetry = {.readings = 4,
                       .clock_median_mhz = 3000,
                       .clock_min_mhz = 2500,
                       .clock_max_mhz = 3500,
                       .temperature_max_celsius = 70,
                       .steal_percent = 1,
                       .load1_max = 2,
                       .throttle_events = 1,
                       .energy_j_per_op = 0.5};
  const RowTelemetry row = row_of(5, 3, watched).telemetry;
  EXPECT_EQ(row.readings, 12);
  EXPECT_EQ(row.clock_median_mhz, 3000);
  EXPECT_EQ(row.clock_min_mhz, 2500);
  EXPECT_EQ(row.clock_max_mhz, 3500);
  EXPECT_EQ(row.throttle_events, 3);
  EXPECT_EQ(row.energy_j_per_op, 0.5);
  EXPECT_FALSE(row_of(5, 2, watched).telemetry.energy_j_per_op) << "most rounds have to agree";
  EXPECT_FALSE(row_of(5, 0, watched).telemetry.clock_median_mhz);
}

}  // namespace
