// What is said to help, held against rows that show it.

#include <gtest/gtest.h>

#include "analyze/explain.h"
#include "machine_rows.h"

namespace {

using namespace ridge;
using simulated::add_roofs;
using simulated::compute_ns;
using simulated::memory_ns;
using simulated::row_of;
using simulated::run_of;

class Advice : public testing::Test {
 protected:
  Advice() {
    machine_.noise = 1e-4;
    add_roofs(run_, machine_);
  }
  void add(Workload work, Settings settings, double ns) {
    run_.rows.push_back(row_of(std::move(work), settings, ns, machine_, ++salt_));
  }
  std::string advice_of_last() const { return explain({&run_}, ChipDatabase{}).rows.back().advice; }
  void expect(const char* part) const {
    const std::string text = advice_of_last();
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }

  simulated::Machine machine_;
  ridge::Run run_ = run_of();
  uint64_t salt_ = 900;
};

TEST_F(Advice, NamesNarrowerTypesAndWhatTheyGive) {
  const Gemm gemm{.m = 2048, .n = 2048, .k = 2048};
  add(gemm, {}, compute_ns(machine_, gemm) / 0.95);
  expect("bf16 ×2, int8 ×4");
}

TEST_F(Advice, NamesTheFormThatIsFasterHere) {
  const Gemm gemm{.m = 1024, .n = 1024, .k = 1024};
  Settings packed;
  packed.form = Form::packed;
  add(gemm, packed, compute_ns(machine_, gemm) / 0.96);
  add(gemm, {}, compute_ns(machine_, gemm) / 0.48);
  expect("packed weights: ×2 here");
}

TEST_F(Advice, OfADecodeProductSaysHowLargeABatchIsFree) {
  const Gemm decode{.dtype = DType::bf16, .m = 1, .n = 14336, .k = 4096};
  const double floor = memory_ns(machine_, decode, {});
  add(decode, {}, floor / 0.95);
  expect("weights of 8 or 4 bits");
  // 2e12 FLOP/s over 1e11 byte/s is 20 FLOP a byte; a row of a batch does one for each.
  expect("up to 20 rows in place of 1");
}

TEST_F(Advice, OfAttentionIsAFusedKernelOrFewerBytes) {
  const Attention prefill{.dtype = DType::bf16,
                          .heads = 32,
                          .kv_heads = 8,
                          .seq_q = 2048,
                          .seq_kv = 2048,
                          .head_dim = 128};
  add(prefill, {.backend = "unfused"}, 1e9);
  expect("a fused kernel: the score matrix goes through memory");
  add(prefill, {}, 5e8);
  add(prefill, {.backend = "math"}, 1e9);
  expect("the library's own choice of backend: ×2 here");

  Attention decode = prefill;
  decode.seq_q = 1;
  decode.seq_kv = 65536;
  add(decode, {}, memory_ns(machine_, decode, {}) / 0.95);
  expect("keys and values of fewer bits");
}

TEST_F(Advice, OfAStreamNamesStoresThatBypassTheCaches) {
  const Stream plain{.op = Stream::Op::write, .bytes = 64 << 20};
  Stream nt = plain;
  nt.nontemporal = true;
  add(nt, {}, memory_ns(machine_, plain, {}));
  add(plain, {}, memory_ns(machine_, plain, {}) / 0.75);
  expect("stores that bypass the caches: ×1.3 here");
}

TEST_F(Advice, OfTinyWorkIsMoreWorkACall) {
  add(Gemm{.m = 8, .n = 8, .k = 8}, {}, machine_.call_ns / 0.95);
  expect("more work a call");
}

TEST_F(Advice, OfARefusedRowIsNone) {
  add(Gemm{.dtype = DType::f16, .m = 8, .n = 8, .k = 8}, {}, 1e5);
  EXPECT_EQ(advice_of_last(), "");
}

TEST(Explanation, ShowsARowOfSeveralRunsOnce) {
  simulated::Machine machine;
  ridge::Run early = run_of("aaaaaaaa"), late = run_of("bbbbbbbb");
  early.header.started_utc = "2026-01-01T00:00:00Z";
  add_roofs(early, machine, 1);
  add_roofs(late, machine, 2);
  late.rows.pop_back();
  const Explanation all = explain({&late, &early}, ChipDatabase{});
  EXPECT_EQ(all.rows.size(), early.rows.size());
  EXPECT_EQ(all.measured_again, late.rows.size());
  EXPECT_EQ(all.runs.front(), &early);
  size_t of_late = 0;
  for (const ExplainedRow& row : all.rows) of_late += row.run == &late ? 1 : 0;
  EXPECT_EQ(of_late, late.rows.size());
  EXPECT_EQ(all.verdicts.size(), all.roofline.roofs.size());
  EXPECT_EQ(all.ridges.size(), 3u);
}

}  // namespace
