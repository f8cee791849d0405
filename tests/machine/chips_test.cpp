#include "machine/chips.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "fixture.h"
#include "machine/nvml.h"
#include "paths.h"

namespace ridge::machine {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const ChipDatabase& database() {
  static const ChipDatabase all = [] {
    auto read = read_chips(paths::data());
    if (!read) throw std::runtime_error(read.error().message);
    return *read;
  }();
  return all;
}

const Chip& chip(const std::string& id) {
  for (const Chip& one : database().chips) {
    if (one.id == id) return one;
  }
  throw std::runtime_error("no chip " + id);
}

ChipMatch ask(const std::string& name, Known<int64_t> cores = {},
              std::optional<ChipKind> kind = {}) {
  return match(database(), {name, std::move(cores), kind, false});
}
std::string known(const std::string& name, Known<int64_t> cores = {}) {
  const ChipMatch found = ask(name, std::move(cores));
  EXPECT_EQ(found.chip == nullptr, !found.reason.empty());
  return found.chip ? found.chip->id : "";
}
double tera(const std::string& id, std::string_view dtype) {
  const auto peak = dense_peak(chip(id), dtype);
  return peak ? peak->flops / 1e12 : 0;
}
double ridge_point(const std::string& id) {
  return dense_peak(chip(id), "bf16")->flops / *memory_bandwidth(chip(id));
}

TEST(Chips, FactorsReproduceEachPeak) {
  int with_factors = 0;
  for (const Chip& one : database().chips) {
    for (const Peak& peak : one.peaks) {
      if (!peak.factors) continue;
      ++with_factors;
      EXPECT_NEAR(peak.factors->flops() / peak.flops, 1, 0.01) << one.id << " " << peak.dtype;
      if (one.kind == ChipKind::apple) {
        EXPECT_EQ(peak.factors->units, static_cast<double>(*one.models.at(0).cores)) << one.id;
      }
    }
    if (one.bandwidth && one.bandwidth->bus_bits) {
      const double bus = *one.bandwidth->bus_bits / 8 * *one.bandwidth->transfers_per_s;
      EXPECT_NEAR(bus / one.bandwidth->bytes_per_s, 1, 0.005) << one.id;
      // Makers round, some to the next hundred; never by more than 2.5 %.
      const double said = one.bandwidth->advertised_bytes_per_s.value_or(bus);
      EXPECT_NEAR(said / bus, 1, 0.025) << one.id;
    }
  }
  EXPECT_GT(with_factors, 80);
  for (const Link& link : database().links) {
    const double rate = link.lanes * link.bits_per_s * link.payload / 8;
    EXPECT_NEAR(rate / link.bytes_per_s, 1, 0.01) << link.id;
    if (link.measured_bytes_per_s) {
      EXPECT_LT(*link.measured_bytes_per_s, link.bytes_per_s);
    }
  }
}

TEST(Chips, NobodyMeasuredMoreThanThePeak) {
  int compared = 0;
  for (const Chip& one : database().chips) {
    for (const BestMatmul& best : one.best_matmul) {
      const auto peak = dense_peak(one, best.dtype);
      ASSERT_TRUE(peak) << one.id;
      EXPECT_LT(best.flops, peak->flops) << one.id;
      ++compared;
    }
  }
  EXPECT_GT(compared, 10);
}

TEST(Chips, SparseFiguresAreNeverDensePeaks) {
  int sparse = 0;
  for (const Chip& one : database().chips) {
    for (const Peak& peak : one.peaks) {
      if (peak.sparsity == Sparsity::dense) continue;
      ++sparse;
      const auto dense = dense_peak(one, peak.dtype);
      ASSERT_TRUE(dense) << one.id << " " << peak.dtype;
      EXPECT_EQ(dense->sparsity, Sparsity::dense);
      EXPECT_LT(dense->flops, peak.flops) << one.id << " " << peak.dtype;
    }
  }
  EXPECT_GT(sparse, 20);
}

// Figures that a published table got wrong, and what the data say of them.
TEST(Chips, WrongPublishedFigures) {
  // "H100 1,979 TFLOPS f16": that is the sparse figure, and the dense one of fp8.
  EXPECT_DOUBLE_EQ(tera("nvidia-h100-sxm", "f16"), 989.4);
  EXPECT_DOUBLE_EQ(tera("nvidia-h100-sxm", "fp8"), 1979);
  const auto& peaks = chip("nvidia-h100-sxm").peaks;
  EXPECT_TRUE(std::any_of(peaks.begin(), peaks.end(), [](const Peak& p) {
    return p.dtype == "f16" && p.sparsity == Sparsity::two_of_four &&
           std::abs(p.flops / 1979e12 - 1) < 1e-3;
  }));
  EXPECT_DOUBLE_EQ(tera("nvidia-b200", "f16"), 2250);
  EXPECT_DOUBLE_EQ(tera("nvidia-b200", "fp8"), 4500);
  // "Ridge points rise above 600": with dense figures they do not.
  EXPECT_NEAR(ridge_point("nvidia-h100-sxm"), 295, 0.5);
  EXPECT_NEAR(ridge_point("nvidia-h200-sxm"), 206, 0.5);
  EXPECT_NEAR(ridge_point("nvidia-b200"), 281, 0.5);
  EXPECT_NEAR(ridge_point("amd-mi455x"), 215, 0.5);
  EXPECT_NEAR(ridge_point("nvidia-rubin"), 182, 0.5);
  EXPECT_TRUE(dense_peak(chip("nvidia-rubin"), "bf16")->announced);
  EXPECT_FALSE(dense_peak(chip("nvidia-b200"), "bf16")->announced);
  // "Rubin CPX 20,000 f16": the figure is one of nvfp4, and its memory is no HBM.
  EXPECT_FALSE(dense_peak(chip("nvidia-rubin-cpx"), "f16"));
  EXPECT_DOUBLE_EQ(*memory_bandwidth(chip("nvidia-rubin-cpx")), 2e12);
  // "M4 Pro, 10 GPU cores": there is no such bin, and 6.08 measured is more than 10 could do.
  EXPECT_EQ(known("Apple M4 Pro", 10), "");
  EXPECT_LT(tera("apple-m4-10", "f16"), 6.08);
  EXPECT_NEAR(6.08 / tera("apple-m4-pro-16", "f16"), 0.94, 0.005);
  // "M5, 12 GPU cores, 200 GB/s, 24 TFLOPS": 14.13 and 118.4 GB/s are 87 % and 77 %.
  EXPECT_EQ(known("Apple M5", 12), "");
  EXPECT_NEAR(14.13 / tera("apple-m5-10", "f16"), 0.87, 0.005);
  EXPECT_NEAR(118.4e9 / *memory_bandwidth(chip("apple-m5-10")), 0.77, 0.005);
  // "Ascend 910D": there is none, and of 910C nothing but estimates.
  EXPECT_EQ(known("Ascend 910D"), "");
  EXPECT_FALSE(dense_peak(chip("huawei-ascend-910c"), "f16"));
  EXPECT_FALSE(memory_bandwidth(chip("huawei-ascend-910c")));
}

TEST(Chips, EachIsFoundByItsOwnNamesAndNoOtherIs) {
  std::set<std::string> found;
  for (const Chip& one : database().chips) {
    for (const ChipModel& model : one.models) {
      const ChipMatch byname = ask(model.name, model.cores);
      if (one.kind == ChipKind::apple && !model.cores) {
        EXPECT_EQ(byname.chip, nullptr) << one.id;  // its bins are not known
        continue;
      }
      ASSERT_NE(byname.chip, nullptr) << model.name << ": " << byname.reason;
      EXPECT_EQ(byname.chip->id, one.id);
      found.insert(one.id);
      if (!model.cores) continue;
      for (const int64_t other : {*model.cores - 1, *model.cores + 1, 10 * *model.cores}) {
        const ChipMatch wrong = ask(model.name, other);
        if (wrong.chip) {
          EXPECT_NE(wrong.chip->id, one.id) << model.name << " " << other;
        }
      }
    }
  }
  EXPECT_GE(found.size(), database().chips.size() - 1);
}

TEST(Chips, NamesOfDriversAreMadeAlike) {
  EXPECT_EQ(normalized_chip_name("AMD EPYC 9654 96-Core Processor"), "amd epyc 9654");
  EXPECT_EQ(normalized_chip_name("Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz"),
            "intel xeon platinum 8480+");
  EXPECT_EQ(normalized_chip_name("Intel\u00ae  Xeon\u2122\tPlatinum 8480+"),
            "intel xeon platinum 8480+");
  EXPECT_EQ(normalized_chip_name("NVIDIA H200"), "h200");
  EXPECT_EQ(normalized_chip_name(""), "");
  EXPECT_EQ(known("AMD EPYC 9654 96-Core Processor", 96), "amd-epyc-9004-genoa");
  EXPECT_EQ(known("Intel(R) Xeon(R) Platinum 8480+", 56), "intel-xeon-4-sapphire-rapids");
}

TEST(Chips, LookalikesAreUnknown) {
  for (const char* name : {"",
                           " ",
                           "M4",
                           "Apple",
                           "Apple M",
                           "Apple M40",
                           "AMD EPYC",
                           "EPYC 9654",
                           "H100",
                           "NVIDIA H100",
                           "NVIDIA H100 NVL",
                           "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
                           "NVIDIA H200 NVL",
                           "NVIDIA A100-SXM4-40GB",
                           "NVIDIA A100-PCIE-40GB",
                           "NVIDIA A100 80GB PCIe",
                           "AMD H200",
                           "Intel H200",
                           "NVIDIA GB2000",
                           "ARM Cortex-M4",
                           "Radeon M4 Pro",
                           "Samsung M5",
                           "MI300A",
                           "AMD Instinct MI300A",
                           "AMD Instinct MI300X VF",
                           "AMD EPYC 9654X",
                           "AMD EPYC 96540",
                           "Intel(R) Xeon(R) Processor",
                           "Intel(R) Xeon(R) Platinum 8480",
                           "TPU",
                           "TPU v5",
                           "Apple M4 Pro Max",
                           "Pro M4 Apple",
                           "Apple Processor"}) {
    for (const Known<int64_t>& cores :
         {Known<int64_t>(), Known<int64_t>(10), Known<int64_t>(132), Known<int64_t>(96)}) {
      EXPECT_EQ(known(name, cores), "") << name;
    }
  }
  EXPECT_EQ(known("Apple M4", 10), "apple-m4-10");
  EXPECT_EQ(known("Apple M4 Pro", 16), "apple-m4-pro-16");
  EXPECT_EQ(known("Apple M4 Pro", 20), "apple-m4-pro-20");
  EXPECT_EQ(known("Apple M4 Max", 40), "apple-m4-max-40");
  EXPECT_EQ(known("NVIDIA H100 PCIe"), "nvidia-h100-pcie");
  EXPECT_EQ(known("NVIDIA H100 80GB HBM3", 132), "nvidia-h100-sxm");
  EXPECT_EQ(known("NVIDIA H100 80GB HBM3", 114), "");
}

TEST(Chips, AnUnknownOneNamesTheNearest) {
  const ChipMatch masked = ask("AMD EPYC", 2, ChipKind::cpu);
  EXPECT_EQ(masked.reason, "the chip database has no 'AMD EPYC'");
  EXPECT_EQ(masked.candidates, std::vector<std::string>{chip("amd-epyc-9004-genoa").name});
  const ChipMatch bin = ask("Apple M4 Pro", 10);
  EXPECT_EQ(bin.reason, "the chip database has no 'Apple M4 Pro' of 10 cores");
  EXPECT_EQ(bin.candidates, (std::vector<std::string>{"Apple M4 Pro (16 GPU cores)",
                                                      "Apple M4 Pro (20 GPU cores)"}));
  EXPECT_EQ(ask("Apple M4 Pro").candidates, bin.candidates);  // no count at all
  EXPECT_EQ(ask("NVIDIA A100-SXM4-40GB").candidates.at(0), "A100 SXM 80GB");
  EXPECT_TRUE(ask("Nokia 3310").candidates.empty());
}

TEST(Chips, RealMachines) {
  const auto of = [](const std::string& name) {
    return match_machine(database(), discover(fixture(name)));
  };
  const auto vm = of("amd_vm");  // two threads of an EPYC 9B14
  ASSERT_EQ(vm.size(), 1u);
  ASSERT_NE(vm[0].match.chip, nullptr) << vm[0].match.reason;
  EXPECT_EQ(vm[0].match.chip->id, "amd-epyc-9004-genoa");
  const auto desktop = of("intel_bare");
  EXPECT_EQ(desktop[0].match.chip, nullptr);
  EXPECT_TRUE(desktop[0].match.candidates.empty()) << desktop[0].match.candidates[0];
  EXPECT_EQ(of("arm_server")[0].match.chip, nullptr);

  // The same machine where its host masks the name.
  Tree masked;
  masked.copy("amd_vm");
  std::string cpuinfo = text_of(masked.root() + "/proc/cpuinfo");
  const std::string whole = "AMD EPYC 9B14";
  ASSERT_NE(cpuinfo.find(whole), std::string::npos);
  for (size_t at; (at = cpuinfo.find(whole)) != cpuinfo.npos;) {
    cpuinfo.replace(at, whole.size(), "AMD EPYC");
  }
  masked.put("/proc/cpuinfo", cpuinfo);
  const auto hidden = match_machine(database(), discover(masked.sources()));
  EXPECT_EQ(hidden[0].match.chip, nullptr);
  EXPECT_EQ(hidden[0].match.candidates.size(), 1u);
  EXPECT_TRUE(to_json(hidden[0]).find("chip")->is_null());
  EXPECT_EQ(to_json(hidden[0]).find("dense_peaks"), nullptr);
  EXPECT_EQ(to_json(hidden[0]).find("per_core"), nullptr);

  Machine gpus;
  gpus.nvidia = read_nvidia(paths::fake_nvml());
  gpus.apple_gpu.name = "Apple M3 Max";
  gpus.apple_gpu.cores = 40;
  const auto found = match_machine(database(), gpus);
  ASSERT_EQ(found.size(), 2 + gpus.nvidia.devices.size());
  EXPECT_EQ(found[0].match.chip, nullptr);  // a processor without a name
  EXPECT_EQ(found[1].device, "nvidia:0");
  ASSERT_NE(found[1].match.chip, nullptr);
  EXPECT_EQ(found[1].match.chip->id, "nvidia-h200-sxm");
  EXPECT_EQ(found.back().match.chip->id, "apple-m3-max-40");
}

TEST(Chips, AVirtualMachineMayShowAPart) {
  ChipQuery part{"AMD EPYC 9654 96-Core Processor", 2, ChipKind::cpu, true};
  EXPECT_NE(match(database(), part).chip, nullptr);
  part.cores = 97;
  EXPECT_EQ(match(database(), part).chip, nullptr);
  part.cores = 2;
  part.virtual_machine = false;
  EXPECT_EQ(match(database(), part).chip, nullptr);
  Machine two;
  two.cpu.model = "AMD EPYC 9654 96-Core Processor";
  two.cpu.sockets = 2;
  two.cpu.cores = 192;
  EXPECT_NE(match_machine(database(), two)[0].match.chip, nullptr);
}

TEST(Chips, AProcessorsPeakFollowsFromItsCoresAndClock) {
  const Chip& genoa = chip("amd-epyc-9004-genoa");
  EXPECT_DOUBLE_EQ(*dense_peak(genoa, "f32", 1, 3.6e9), 115.2e9);
  EXPECT_DOUBLE_EQ(*dense_peak(genoa, "bf16", 2, 3.6e9), 2 * 230.4e9);
  EXPECT_FALSE(dense_peak(genoa, "fp8", 1, 3.6e9));
  EXPECT_FALSE(dense_peak(genoa, "f32", 0, 3.6e9));
  EXPECT_FALSE(dense_peak(genoa, "f32", 1, std::nan("")));
  EXPECT_FALSE(dense_peak(genoa, "f32"));  // no clock, no figure
  EXPECT_FALSE(dense_peak(chip("nvidia-h200-sxm"), "fp4"));
  EXPECT_FALSE(dense_peak(chip("apple-m6-12"), "f32"));
}

// A name that was changed in any way that is not the driver's habit is another name.
RC_GTEST_PROP(Chips, ChangedNamesDoNotMatch, ()) {
  const Chip& one = database().chips.at(*rc::gen::inRange<size_t>(0, database().chips.size()));
  const ChipModel& model = one.models.at(*rc::gen::inRange<size_t>(0, one.models.size()));
  std::string name = model.name;
  const auto at = *rc::gen::inRange<size_t>(0, name.size());
  const char letter = *rc::gen::elementOf(std::string("0123456789abcxyz-"));
  switch (*rc::gen::inRange(0, 3)) {
    case 0: name.insert(at, 1, letter); break;
    case 1: name[at] = letter; break;
    default: name.erase(at, 1);
  }
  if (normalized_chip_name(name) == normalized_chip_name(model.name)) return;
  const ChipMatch found = match(database(), {name, model.cores, std::nullopt, false});
  // Another model of the same family may be hit; then its name is that model's, whole.
  if (found.chip) {
    const auto& models = found.chip->models;
    RC_ASSERT(std::any_of(models.begin(), models.end(), [&](const ChipModel& other) {
      return normalized_chip_name(other.name) == normalized_chip_name(name);
    }));
  }
}

std::string refusal(const std::string& chips) {
  const auto read = parse_chips(chips, "c", text_of(paths::data() + "/links.json"), "l");
  return read ? "" : read.error().message;
}
std::string with_chip(const std::string& members, const std::string& more = "") {
  return R"({"version": "1", "sources": {"s": {"title": "t", "kind": "vendor", "date": "2026"}}, "chips": [{"id": "x",
    "kind": "accelerator", "vendor": "V", "name": "X", "status": "shipping", )" +
         members + "}" + more + "]}";
}

TEST(Chips, AFaultyFileSaysWhere) {
  const std::string models = R"("models": [{"name": "X"}])";
  const std::string peak = R"("dtypes": ["f32"], "sparsity": "dense", "source": "s")";
  EXPECT_EQ(refusal(with_chip(models + R"(, "peaks": [{)" + peak + R"(, "tflops": 1}])")), "");
  EXPECT_EQ(refusal("{"), "c: not JSON at byte 2");
  EXPECT_EQ(refusal("[]").rfind("c: ", 0), 0u);
  const auto says = [&](const std::string& text, const std::string& place, const std::string& why) {
    const std::string message = refusal(text);
    EXPECT_NE(message.find(place), std::string::npos) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  };
  says(with_chip(models + R"(, "peaks": [{)" + peak + R"(, "tflops": 0}])"), "chip 1 (x): peak 1",
       "above 0");
  says(with_chip(models + R"(, "peaks": [{"dtypes": ["f31"], "sparsity": "dense", "source": "s",
       "tflops": 1}])"),
       "chip 1 (x): peak 1", "'f31' is no dtype");
  says(with_chip(models + R"(, "peaks": [{"dtypes": ["f32"], "sparsity": "dense", "source": "q",
       "tflops": 1}])"),
       "chip 1 (x): peak 1", "'q' is no source");
  says(with_chip(models + R"(, "peaks": [{)" + peak + R"(, "tflops": 1, "factors": {"units": -1,
       "unit": "u", "flop_per_clock": -1, "clock_ghz": 1}}])"),
       "chip 1 (x): peak 1: factors", "units");
  says(with_chip(models + R"(, "peaks": [{)" + peak + R"(, "tflops": 1e300}])"), "peak 1", "1e30");
  says(with_chip(models), "chip 1 (x)", "peaks_reason");
  says(with_chip(models + R"(, "colour": 1, "peaks_reason": "r")"), "chip 1", "colour");
  says(with_chip(R"("peaks_reason": "r", "models": [{"name": "X", "cores": 4}, {"name": "x"}])"),
       "chip 1 (x): model 2", "'x' stands twice");
  says(with_chip(R"("peaks_reason": "r", "models": [])"), "chip 1 (x)", "empty");
  EXPECT_FALSE(read_chips("/nowhere"));
  const std::string whole = text_of(paths::data() + "/chips.json");
  ASSERT_EQ(refusal(whole), "");
  for (size_t cut = 0; cut + 3 < whole.size(); cut += 1 + whole.size() / 40) {
    EXPECT_NE(refusal(whole.substr(0, cut)), "") << cut;
  }
}

}  // namespace
}  // namespace ridge::machine
