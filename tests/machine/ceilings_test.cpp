#include "machine/ceilings.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "machine/nvml.h"
#include "paths.h"

namespace ridge {
namespace {

const ChipDatabase& database() {
  static const ChipDatabase all = [] {
    auto read = read_chips(paths::data());
    if (!read) throw std::runtime_error(read.error().message);
    return *read;
  }();
  return all;
}

Machine with_gpu(const std::string& name, Known<double> maximum_hz = {}) {
  Machine machine;
  NvidiaDevice gpu;
  gpu.name = name;
  gpu.multiprocessors = int64_t{132};
  gpu.sm_clock_maximum_hz = std::move(maximum_hz);
  machine.nvidia.devices = {gpu};
  return machine;
}

Machine with_cpu(const std::string& name, int64_t cores, bool virtual_machine = false) {
  Machine machine;
  machine.cpu.model = name;
  machine.cpu.cores = cores;
  machine.cpu.threads = 2 * cores;
  machine.cpu.sockets = int64_t{1};
  machine.system.virtual_machine = virtual_machine;
  return machine;
}

Machine with_apple(const std::string& name, int64_t cores) {
  Machine machine;
  machine.cpu.model = name;
  machine.cpu.cores = int64_t{10};
  machine.apple_gpu = {name, cores};
  return machine;
}

std::optional<Ceilings> of(const Machine& machine, const std::string& name,
                           bool processor = false) {
  return ceilings_of(database(), machine, name, processor);
}

double tera(const std::optional<Ceilings>& ceilings, std::string_view dtype, int threads = 0,
            std::optional<double> sampled_hz = {}) {
  if (!ceilings) return 0;
  const auto most = compute_ceiling(*ceilings, dtype, threads, sampled_hz);
  return most ? most->rate * 1e-12 : 0;
}

// 528 tensor cores x 1024 FLOP x clock. 1830 MHz are published, 1980 MHz were read.
TEST(Ceilings, AnH200MayRunAtItsHighestClock) {
  const auto told = of(with_gpu("NVIDIA H200", 1.98e9), "NVIDIA H200");
  EXPECT_NEAR(tera(told, "bf16"), 1070.5 * 1.05, 0.1);
  EXPECT_NEAR(tera(told, "fp8"), 2141 * 1.05, 0.2);
  EXPECT_NEAR(tera(told, "int8"), 2141 * 1.05, 0.2);
  const auto untold = of(with_gpu("NVIDIA H200"), "NVIDIA H200");
  EXPECT_NEAR(tera(untold, "bf16"), 989.4 * 1.25 * 1.05, 0.5);
  // Sampled above what it tells as its maximum: then that is not it.
  EXPECT_NEAR(tera(told, "bf16", 0, 2.0e9), 528 * 1024 * 2.0e-3 * 1.25 * 1.05, 0.5);
  // A slower clock seen, or told as the maximum, lowers nothing: it may have been higher between.
  EXPECT_EQ(tera(told, "bf16", 0, 0.3e9), tera(told, "bf16"));
  EXPECT_NEAR(tera(of(with_gpu("NVIDIA H200", 1.2e9), "NVIDIA H200"), "bf16"), 989.4 * 1.05, 0.1);
}

TEST(Ceilings, NeverASparseFigureNorAnUnknownDtype) {
  const auto h100 = of(with_gpu("NVIDIA H100 80GB HBM3", 1.98e9), "NVIDIA H100 80GB HBM3");
  EXPECT_GT(tera(h100, "f16"), 989.4);
  EXPECT_LT(tera(h100, "f16"), 1500);
  EXPECT_LT(tera(h100, "tf32"), 600);
  EXPECT_NEAR(tera(h100, "f32"), 67 * 1.25 * 1.05, 0.1);  // published without factors
  EXPECT_EQ(tera(h100, "f64"), 0);
  EXPECT_EQ(tera(h100, "no such"), 0);
}

TEST(Ceilings, EveryChipsOwnFiguresAreAllowed) {
  int held = 0;
  for (const Chip& chip : database().chips) {
    if (chip.kind == ChipKind::cpu) continue;
    for (const ChipModel& model : chip.models) {
      Machine machine;
      if (chip.kind == ChipKind::apple && !model.cores) continue;  // matches nothing
      if (chip.kind == ChipKind::apple) {
        machine = with_apple(model.name, *model.cores);
      } else {
        machine = with_gpu(model.name);
        machine.nvidia.devices[0].multiprocessors = model.cores;
      }
      const auto ceilings = of(machine, model.name);
      ASSERT_TRUE(ceilings) << model.name;
      for (const Peak& peak : chip.peaks) {
        if (peak.sparsity != Sparsity::dense || peak.announced) continue;
        EXPECT_GE(tera(ceilings, peak.dtype), peak.flops * 1e-12) << model.name << peak.dtype;
        ++held;
      }
      for (const BestMatmul& best : chip.best_matmul) {
        if (tera(ceilings, best.dtype) == 0) continue;
        EXPECT_GT(tera(ceilings, best.dtype), best.flops * 1e-12) << model.name;
      }
      if (const auto bytes = memory_bandwidth(chip); bytes && ceilings->bytes_per_s) {
        EXPECT_GE(memory_ceiling(*ceilings, 1e12, 0)->rate, *bytes) << model.name;
      }
    }
  }
  EXPECT_GT(held, 100);
}

// Zen 4: 32 f32 and 64 bf16 FLOP a core and clock.
TEST(Ceilings, AProcessorTakesCoresAndASampledClock) {
  const std::string name = "AMD EPYC 9654 96-Core Processor";
  Machine machine = with_cpu(name, 96);
  const auto untold = of(machine, name, true);
  EXPECT_EQ(tera(untold, "f32"), 0);  // no clock: nothing is judged
  EXPECT_NEAR(tera(untold, "f32", 0, 3.55e9), 96 * 32 * 3.55e-3 * 1.25 * 1.05, 1e-6);
  machine.cpu.clocks.maximum_hz = 3.7e9;
  const auto told = of(machine, name, true);
  EXPECT_EQ(tera(told, "f32"), 0);  // boost may be left out
  EXPECT_NEAR(tera(told, "f32", 0, 3.55e9), 96 * 32 * 3.7e-3 * 1.05, 1e-6);
  EXPECT_NEAR(tera(told, "bf16", 8, 3.55e9), 8 * 64 * 3.7e-3 * 1.05, 1e-6);
  EXPECT_EQ(tera(told, "f32", 1000, 3.55e9), tera(told, "f32", 0, 3.55e9));
  EXPECT_EQ(tera(told, "f64", 0, 3.55e9), 0);
  machine.cpu.sockets = int64_t{2};
  machine.cpu.cores = int64_t{192};
  EXPECT_NEAR(tera(of(machine, name, true), "f32", 0, 3.55e9), 192 * 32 * 3.7e-3 * 1.05, 1e-6);
  EXPECT_NEAR(memory_ceiling(*of(machine, name, true), 1e15, 0)->rate, 2 * 460.8e9 * 1.05, 1e6);
}

// Two threads of a virtual machine's core may be two cores.
TEST(Ceilings, OfAVirtualMachineThreadsCount) {
  const std::string name = "AMD EPYC 9654 96-Core Processor";
  EXPECT_NEAR(tera(of(with_cpu(name, 4, true), name, true), "f32", 0, 3e9),
              8 * 32 * 3e-3 * 1.25 * 1.05, 1e-6);
}

TEST(Ceilings, WhatIsNotKnownIsNotJudged) {
  EXPECT_FALSE(of(with_cpu("AMD EPYC", 2), "AMD EPYC", true));  // a host that masks its name
  EXPECT_FALSE(of(with_gpu("NVIDIA H200"), "NVIDIA H201"));
  EXPECT_FALSE(of(with_gpu("NVIDIA GTX 9999"), "NVIDIA GTX 9999"));
  EXPECT_FALSE(of(Machine{}, "NVIDIA H200"));
  EXPECT_FALSE(of(Machine{}, ""));
}

// The processor of an M5 has the name of its GPU, and no figures of its own.
TEST(Ceilings, AnApplesProcessorIsNotItsGpu) {
  const Machine machine = with_apple("Apple M5", 10);
  EXPECT_FALSE(of(machine, "Apple M5", true));
  const auto gpu = of(machine, "Apple M5", false);
  EXPECT_NEAR(tera(gpu, "f16"), 10 * 1024 * 1.578e-3 * 1.25 * 1.05, 1e-6);
  EXPECT_NEAR(memory_ceiling(*gpu, 1e15, 0)->rate, 153.6e9 * 1.05, 1e6);
  EXPECT_FALSE(of(with_apple("Apple M5", 11), "Apple M5"));
}

// Of 200 MB a cache of 50 MB may hold a quarter: only the rest has to come from memory.
TEST(Ceilings, WhatACacheMayHoldCostsNoMemory) {
  Ceilings chip;
  EXPECT_FALSE(memory_ceiling(chip, 1e9, 0));
  chip.bytes_per_s = 1e12;
  EXPECT_NEAR(memory_ceiling(chip, 200e6, 50e6)->rate, 1.05e12 / 0.75, 1);
  chip.cache_bytes = 100'000'000;  // the larger counts
  EXPECT_NEAR(memory_ceiling(chip, 200e6, 50e6)->rate, 1.05e12 / 0.5, 1);
  EXPECT_FALSE(memory_ceiling(chip, 100e6, 50e6));
  EXPECT_FALSE(memory_ceiling(chip, 0, 0));
}

// Its driver tells 1980 MHz, 3201 MHz of a 6144-bit memory: 4.92 TB/s where 4.8 are published.
TEST(Ceilings, OfWhatTheDriverTells) {
  Machine machine;
  machine.nvidia = machine::read_nvidia(paths::fake_nvml());
  ASSERT_GE(machine.nvidia.devices.size(), 1u);
  const auto h200 = of(machine, "NVIDIA H200");
  ASSERT_TRUE(h200);
  EXPECT_EQ(h200->chip, "H200 SXM");
  EXPECT_EQ(h200->maximum_hz, 1.98e9);
  EXPECT_NEAR(tera(h200, "bf16"), 1070.5 * 1.05, 0.1);
  EXPECT_NEAR(memory_ceiling(*h200, 1e15, 0)->rate, 3201e6 * 2 * 6144 / 8 * 1.05, 1e7);
  EXPECT_FALSE(h200->processor);
}

}  // namespace
}  // namespace ridge
