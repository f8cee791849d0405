// Prefill and decode under the roofs of machines whose truth is known.

#include "analyze/models.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "analyze/explain.h"
#include "machine_rows.h"
#include "mistral_7b.h"

namespace {

using namespace ridge;
using simulated::add_roofs;
using simulated::row_of;
using simulated::run_of;

ModelUse mistral(ModelFormat format, int64_t depth = 0) {
  ModelUse use;
  use.model = mistral_7b();
  use.format = format;
  use.depth = depth;
  return use;
}

// So many layers of 1.5 MB in f32.
ModelUse small(int64_t layers) {
  ModelUse use;
  use.model = {.name = "small",
               .num_hidden_layers = layers,
               .hidden_size = 256,
               .num_attention_heads = 4,
               .num_key_value_heads = 4,
               .head_dim = 64,
               .intermediate_size = 170,
               .vocab_size = 512,
               .max_position_embeddings = 4096};
  use.format = ModelFormat::f32;
  return use;
}

Gemm q8_0_product() {
  Gemm gemm{.dtype = DType::f32, .m = 2048, .n = 4096, .k = 4096};
  gemm.layout = Gemm::Layout::nt;
  gemm.weights = WeightFormat::q8_0;
  return gemm;
}

Settings hot() {
  Settings settings;
  settings.cache = CacheMode::hot;
  settings.timing = Timing::isolated;
  return settings;
}

class Models : public testing::Test {
 protected:
  Models() {
    machine_.noise = 1e-4;
    add_roofs(run_, machine_);
  }
  // A row that takes so long.
  const Row& add(Workload work, double ns) {
    run_.rows.push_back(row_of(std::move(work), hot(), ns, machine_, ++salt_));
    return run_.rows.back();
  }
  // What its operations and its bytes take.
  double products_ns(const Workload& work, double flops) const {
    return cost(work, hot()).executed_flops * 1e9 / flops;
  }
  double reads_ns(const Workload& work) const {
    return cost(work, hot()).bytes_read * 1e9 / machine_.read;
  }
  Placement placed() const { return place(roofline({&run_}), run_, run_.rows.back()); }
  Explanation explained() const { return explain({&run_}, ChipDatabase{}); }
  std::string advice() const { return explained().rows.back().advice; }

  simulated::Machine machine_;
  ridge::Run run_ = run_of();
  uint64_t salt_ = 700;
};

TEST_F(Models, APrefillIsBoundByProducts) {
  const Prefill prefill{mistral(ModelFormat::bf16), 512};
  add(prefill, products_ns(prefill, 2 * machine_.flops) / 0.9);
  const Placement p = placed();
  ASSERT_TRUE(p.bound()) << p.refused;
  EXPECT_EQ(p.bound()->name, "compute bf16");
  EXPECT_NEAR(p.bound()->share, 0.9, 0.01);
  // Its weights are read once, so memory is far away.
  ASSERT_EQ(p.limits.size(), 2u);
  EXPECT_EQ(p.limits[1].name, "memory read");
  EXPECT_LT(p.limits[1].share, 0.5);
}

TEST_F(Models, TheProductsThatWereMeasuredAreNamed) {
  // No f16 product was measured: f32's are what is known.
  const Prefill f16{mistral(ModelFormat::f16), 512};
  add(f16, products_ns(f16, machine_.flops) / 0.8);
  EXPECT_EQ(placed().bound()->name, "compute f32");
  EXPECT_NE(placed().bound()->why.find("no f16 product"), std::string::npos);
  // Quantised weights are multiplied as integers, unless products with them were measured.
  const Prefill q8{mistral(ModelFormat::q8_0), 512};
  add(q8, products_ns(q8, 4 * machine_.flops) / 0.8);
  EXPECT_EQ(placed().bound()->name, "compute int8");
  EXPECT_NE(placed().bound()->why.find("8-bit integers"), std::string::npos);
  const Gemm product = q8_0_product();
  run_.rows.insert(run_.rows.begin(),
                   row_of(product, {}, cost(product, {}).executed_flops * 1e9 / 3e12, machine_, 9));
  EXPECT_EQ(placed().bound()->name, "compute f32 q8_0");
  EXPECT_NEAR(placed().bound()->share, 0.8 * 4 / 3, 0.02);
  // What the worker says they ran in goes before all.
  run_.rows.back().executed_dtype = "bf16";
  EXPECT_FALSE(placed().bound() && placed().bound()->name == "compute int8");
}

TEST_F(Models, ProductsOfQuantisedWeightsAreNoRoofOfTheirDtype) {
  const double before = find(roofline({&run_}), Roof::Kind::compute, "cpu", 0, "f32")->rate.value;
  const Gemm product = q8_0_product();
  run_.rows.push_back(
      row_of(product, {}, cost(product, {}).executed_flops * 1e9 / 3e12, machine_, 9));
  const Roofline roofs = roofline({&run_});
  EXPECT_DOUBLE_EQ(find(roofs, Roof::Kind::compute, "cpu", 0, "f32")->rate.value, before);
  ASSERT_TRUE(find(roofs, Roof::Kind::compute, "cpu", 0, "f32 q8_0"));
}

TEST_F(Models, ADecodeIsBoundByReads) {
  for (const ModelFormat format : {ModelFormat::f16, ModelFormat::q8_0, ModelFormat::q4_k_m}) {
    for (const int64_t depth : {0, 3000}) {
      const Decode decode{mistral(format, depth), 128};
      add(decode, reads_ns(decode) / 0.85);
      const Placement p = placed();
      ASSERT_TRUE(p.bound()) << p.refused;
      EXPECT_EQ(p.bound()->kind, Roof::Kind::memory);
      // 32 MiB of cache may hold at most a hundredth of the weights.
      EXPECT_NEAR(p.bound()->share, 0.85, 0.02) << name(format);
      EXPECT_FALSE(p.impossible);
    }
  }
}

// The figure of a prefill, called decode: every model, format and length for which a machine can
// tell the two apart at all, that is if products are faster than reads.
TEST_F(Models, APrefillCalledDecodeIsRefused) {
  int refused = 0;
  for (const ModelFormat format : {ModelFormat::f32, ModelFormat::bf16, ModelFormat::q8_0}) {
    for (const int64_t tokens : {32, 128, 512}) {
      const double flops = machine_.flops * (format == ModelFormat::f32    ? 1
                                             : format == ModelFormat::bf16 ? 2
                                                                           : 4);
      const Prefill prefill{mistral(format), tokens};
      const Decode called{mistral(format), tokens};
      const double best = std::max(products_ns(prefill, flops), reads_ns(prefill));
      add(called, best / 0.8);
      const Placement p = placed();
      EXPECT_TRUE(p.impossible) << work_key(called);
      EXPECT_TRUE(p.limits.empty());
      const Explanation all = explained();
      ASSERT_EQ(all.findings.size(), static_cast<size_t>(++refused));
      const std::string& finding = all.findings.back();
      EXPECT_NE(finding.find("no decode: "), std::string::npos) << finding;
      EXPECT_NE(finding.find(std::to_string(tokens) + " tokens"), std::string::npos) << finding;
      EXPECT_NE(finding.find("memory was measured to give "), std::string::npos) << finding;
      EXPECT_FALSE(all.rows.back().placement.bound());
      EXPECT_TRUE(all.rows.back().advice.empty());
    }
  }
}

TEST_F(Models, ReadsOfTheRoofAreBelievedAndThoseWellAboveAreNot) {
  const Decode decode{mistral(ModelFormat::f16), 32};
  add(decode, reads_ns(decode) / 1.04);
  EXPECT_FALSE(placed().impossible);
  ASSERT_TRUE(placed().bound());
  EXPECT_NEAR(placed().bound()->share, 1.04, 0.02);
  add(decode, reads_ns(decode) / 1.2);
  EXPECT_TRUE(placed().impossible);
  // A wide interval leaves it open.
  run_.rows.back().time.ci_high_ns = *run_.rows.back().time.median_ns * 1.3;
  EXPECT_FALSE(placed().impossible);
}

TEST_F(Models, ADecodeMakesNoRoof) {
  const Roofline before = roofline({&run_});
  const Decode decode{mistral(ModelFormat::f16), 32};
  add(decode, reads_ns(decode) / 5);
  const Roofline after = roofline({&run_});
  ASSERT_EQ(before.roofs.size(), after.roofs.size());
  for (size_t i = 0; i < before.roofs.size(); ++i) {
    EXPECT_DOUBLE_EQ(before.roofs[i].rate.value, after.roofs[i].rate.value);
  }
}

// What a chip is known to give is allowed, whatever was measured: the rows at hand may be those of
// a slow library.
TEST_F(Models, PublishedBandwidthIsAllowed) {
  const Decode decode{mistral(ModelFormat::f16), 32};
  add(decode, reads_ns(decode) / 2);
  Roofline roofs = roofline({&run_});
  EXPECT_TRUE(place(roofs, run_, run_.rows.back()).impossible);
  roofs.published_bytes_per_s["cpu"] = 2.1 * machine_.read;
  EXPECT_FALSE(place(roofs, run_, run_.rows.back()).impossible);
  // Where memory was not measured, what is published is all there is.
  Roofline none;
  none.published_bytes_per_s["cpu"] = machine_.read;
  EXPECT_NE(evidence::impossible_decode(none, run_.rows.back(), "cpu", 0).find("published"),
            std::string::npos);
  EXPECT_TRUE(evidence::impossible_decode({}, run_.rows.back(), "cpu", 0).empty());
}

// 45 MB of weights and 32 MiB of cache: at least a quarter comes from memory, whatever else.
TEST_F(Models, ACacheMaySpareAPart) {
  const Decode decode{small(30), 16};
  const Cost c = cost(decode, hot());
  ASSERT_GT(c.footprint, 32 << 20);
  const double rest = 1 - 16.0 * (32 << 20) / c.bytes_read;
  ASSERT_GT(rest, 0.1);
  ASSERT_LT(rest, 0.5);
  add(decode, rest * reads_ns(decode) / 0.9);
  const Placement p = placed();
  EXPECT_FALSE(p.impossible);
  ASSERT_TRUE(p.bound()) << p.refused;
  EXPECT_NEAR(p.bound()->share, 0.9, 0.02);
  EXPECT_NE(p.bound()->name.find("may lie in caches"), std::string::npos);
  add(decode, rest * reads_ns(decode) / 1.5);
  EXPECT_TRUE(placed().impossible);
}

// Weights that a cache holds are read at its speed, of which nothing is known without its roof.
TEST_F(Models, WeightsInACacheHaveItsRoof) {
  const Decode decode{small(10), 16};
  ASSERT_LT(cost(decode, hot()).footprint, 32 << 20);
  ASSERT_GT(cost(decode, hot()).footprint, 8 << 20);
  add(decode, reads_ns(decode) / 3);
  EXPECT_FALSE(placed().impossible);
  EXPECT_FALSE(placed().bound());
  EXPECT_NE(placed().refused.find("L3"), std::string::npos) << placed().refused;
  // 4e11 byte/s, of which the row takes three quarters.
  const Stream stream{.op = Stream::Op::read, .bytes = 16 << 20};
  Settings in_cache;
  in_cache.cache = CacheMode::hot;
  run_.rows.insert(run_.rows.begin(),
                   row_of(stream, in_cache, (16 << 20) * 1e9 / 4e11, machine_, 5));
  ASSERT_TRUE(placed().bound()) << placed().refused;
  EXPECT_EQ(placed().bound()->name, "L3 read");
  EXPECT_NEAR(placed().bound()->share, 0.75, 0.02);
}

TEST_F(Models, WithoutRoofsNothingIsClaimed) {
  run_.rows.clear();
  const Decode decode{mistral(ModelFormat::f16), 32};
  add(decode, 1e9);
  EXPECT_TRUE(placed().limits.empty());
  EXPECT_FALSE(placed().refused.empty());
  EXPECT_FALSE(placed().impossible);
}

TEST_F(Models, AdviceOfADecodeIsFewerBytesOrABatch) {
  const Decode decode{mistral(ModelFormat::f16), 128};
  add(decode, reads_ns(decode) / 0.9);
  const std::string text = advice();
  EXPECT_NE(text.find("q8_0 ×1.9"), std::string::npos) << text;
  EXPECT_NE(text.find("q4_k_m ×3."), std::string::npos) << text;
  // 10 FLOP a byte in f32, and a sequence does one for each byte of its weights.
  EXPECT_NE(text.find("8 sequences in place of 1"), std::string::npos) << text;
}

TEST_F(Models, AdviceOfAPrefillIsNarrowerProducts) {
  const Prefill prefill{mistral(ModelFormat::bf16), 512};
  add(prefill, products_ns(prefill, 2 * machine_.flops) / 0.9);
  EXPECT_NE(advice().find("int8 ×2"), std::string::npos) << advice();
}

TEST_F(Models, AdviceNamesTheWayThatIsFasterHere) {
  const Decode decode{mistral(ModelFormat::f16), 128};
  add(decode, reads_ns(decode) / 0.8);
  run_.rows.back().settings.backend = "flash";
  add(decode, reads_ns(decode) / 0.4);
  run_.rows.back().settings.backend = "unfused";
  EXPECT_NE(advice().find("backend flash: ×2 here"), std::string::npos) << advice();
}

}  // namespace
