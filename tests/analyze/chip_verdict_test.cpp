// Roofs held against what is published of their chips.

#include "analyze/chip_verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "paths.h"

namespace {

using namespace ridge;

const ChipDatabase& database() {
  static const ChipDatabase all = [] {
    auto read = read_chips(paths::data());
    if (!read) throw std::runtime_error(read.error().message);
    return *read;
  }();
  return all;
}

const Chip& chip(const std::string& id) {
  const auto at = std::find_if(database().chips.begin(), database().chips.end(),
                               [&](const Chip& one) { return one.id == id; });
  if (at == database().chips.end()) throw std::runtime_error(id);
  return *at;
}

Header header_of(const char* machine) {
  Header header;
  header.machine = *Json::parse(machine);
  return header;
}

const char* const kH200 = R"({"cpu": {"model": null, "model_reason": "x"}, "nvidia": {"devices": [
  {"index": 0, "name": "NVIDIA H200", "multiprocessors": 132}]}})";
const char* const kGenoa = R"({"cpu": {"model": "AMD EPYC 9654 96-Core Processor", "cores": 96,
  "sockets": 1, "clocks": {"maximum_hz": null}}, "system": {"virtual_machine": false}})";

Roof compute(const std::string& device, const std::string& dtype, double flops) {
  return {Roof::Kind::compute, device, 0, dtype, "", {flops, {flops, flops}}, "", "", ""};
}
Roof memory(const std::string& device, double rate, const std::string& level = "memory") {
  return {Roof::Kind::memory, device, 0, "read", level, {rate, {rate, rate}}, "", "", ""};
}

ChipVerdict judged(const Roof& roof, const char* machine, std::optional<double> mhz = {}) {
  const Header header = header_of(machine);
  Row from;
  from.telemetry.clock_median_mhz = mhz;
  return judge(roof, match_machine(database(), header.machine), header, from);
}

TEST(StoredMachine, IsMatchedAsALiveOne) {
  const auto h200 = match_machine(database(), *Json::parse(kH200));
  ASSERT_EQ(h200.size(), 2u);
  EXPECT_EQ(h200[0].match.chip, nullptr);
  EXPECT_EQ(h200[1].match.chip, &chip("nvidia-h200-sxm"));
  const auto genoa = match_machine(database(), *Json::parse(kGenoa));
  EXPECT_EQ(genoa.at(0).match.chip, &chip("amd-epyc-9004-genoa"));
  // Masked by a hypervisor: unknown, with the nearest.
  const auto masked = match_machine(
      database(), *Json::parse(R"({"cpu": {"model": "AMD EPYC", "cores": 2, "sockets": 1}})"));
  EXPECT_EQ(masked.at(0).match.chip, nullptr);
  EXPECT_FALSE(masked.at(0).match.candidates.empty());
  for (const char* odd : {"{}", "null", "[]", R"({"cpu": 5})", R"({"cpu": {"model": 5}})",
                          R"({"nvidia": {"devices": [5]}})"}) {
    for (const auto& device : match_machine(database(), *Json::parse(odd))) {
      EXPECT_EQ(device.match.chip, nullptr) << odd;
    }
  }
}

// Figures that others measured on these chips are normal for them; half of them are not.
TEST(Verdict, OfWhatOthersMeasuredIsNormal) {
  int held = 0;
  for (const Chip& one : database().chips) {
    if (one.kind != ChipKind::accelerator) continue;
    const std::vector<DeviceChip> chips = {{"nvidia:0", one.name, {&one, "", {}}}};
    for (const BestMatmul& best : one.best_matmul) {
      const auto is = [&](double flops) {
        return judge(compute(one.name, best.dtype, flops), chips, {}, {}).is;
      };
      EXPECT_EQ(is(best.flops), ChipVerdict::Is::normal) << one.id << " " << best.dtype;
      EXPECT_EQ(is(best.flops / 2), ChipVerdict::Is::low) << one.id << " " << best.dtype;
      EXPECT_EQ(is(1.2 * dense_peak(one, best.dtype)->flops), ChipVerdict::Is::high) << one.id;
      ++held;
    }
  }
  EXPECT_GT(held, 10);
}

TEST(Verdict, HoldsAgainstTheDensePeakOnly) {
  // 1,979 TFLOPS is the sparse figure in bf16: a rate of 990 is 100 % of the dense one.
  const ChipVerdict verdict = judged(compute("NVIDIA H200", "bf16", 788e12), kH200);
  EXPECT_EQ(verdict.is, ChipVerdict::Is::normal);
  EXPECT_NEAR(*verdict.share, 0.796, 0.002);
  EXPECT_NEAR(*verdict.published, 989.4e12, 1e12);
  EXPECT_EQ(judged(compute("NVIDIA H200", "bf16", 1500e12), kH200).is, ChipVerdict::Is::high);
  EXPECT_EQ(judged(compute("NVIDIA H200", "f64", 60e12), kH200).is, ChipVerdict::Is::unknown)
      << "no figure of that dtype, and none borrowed";
}

TEST(Verdict, OfMemory) {
  EXPECT_EQ(judged(memory("NVIDIA H200", 4.3e12), kH200).is, ChipVerdict::Is::normal);
  EXPECT_EQ(judged(memory("NVIDIA H200", 3.0e12), kH200).is, ChipVerdict::Is::low);
  EXPECT_EQ(judged(memory("NVIDIA H200", 5.5e12), kH200).is, ChipVerdict::Is::high);
  EXPECT_EQ(judged(memory("NVIDIA H200", 9e12, "L2"), kH200).is, ChipVerdict::Is::unknown);
  EXPECT_EQ(judged(memory("cpu", 380e9), kGenoa).is, ChipVerdict::Is::normal);
  const ChipVerdict guest = judged(
      memory("cpu", 60e9), R"({"cpu": {"model": "AMD EPYC 9654 96-Core Processor", "cores": 2},
                              "system": {"virtual_machine": true}})");
  EXPECT_EQ(guest.is, ChipVerdict::Is::unknown);
  EXPECT_FALSE(guest.share);
}

TEST(Verdict, OfAProcessorTakesAClock) {
  const ChipVerdict without = judged(compute("cpu", "f32", 9e12), kGenoa);
  EXPECT_EQ(without.is, ChipVerdict::Is::unknown);
  EXPECT_FALSE(without.share);
  // 96 cores x 32 FLOP x 3.0 GHz = 9.216 TFLOPS.
  const ChipVerdict with = judged(compute("cpu", "f32", 9e12), kGenoa, 3000);
  EXPECT_EQ(with.is, ChipVerdict::Is::normal);
  EXPECT_NEAR(*with.published, 9.216e12, 1e9);
  EXPECT_EQ(judged(compute("cpu", "f32", 3e12), kGenoa, 3000).is, ChipVerdict::Is::low);
}

TEST(Verdict, OfAnUnknownChipInventsNothing) {
  const ChipVerdict verdict =
      judged(compute("cpu", "f32", 2e11), R"({"cpu": {"model": "AMD EPYC", "cores": 2}})", 3000);
  EXPECT_EQ(verdict.is, ChipVerdict::Is::unknown);
  EXPECT_FALSE(verdict.share);
  EXPECT_FALSE(verdict.published);
}

}  // namespace
