// Which rows are held against each other, and what is said of them, on runs whose truth is known.

#include "analyze/compare.h"

#include <gtest/gtest.h>

#include "analyze/recommend.h"
#include "synthetic.h"

namespace {

using namespace ridge;
using stats::SpeedVerdict;
using synthetic::row;
using synthetic::run;
using synthetic::Truth;

Gemm product(DType dtype, int64_t size) {
  return {.dtype = dtype, .m = size, .n = size, .k = size};
}

Comparison compared(const std::vector<Given>& given, std::vector<Across> across) {
  return compare(sides(given, across), across, {});
}

TEST(Sides, AreTheRunsGivenWhereTheVersionDiffers) {
  const std::vector<Given> given = {
      {"old", {run({row(product(DType::f32, 64), {})})}},
      {"new", {run({row(product(DType::f32, 64), {}), row(product(DType::f32, 32), {})})}}};
  const Across across[] = {Across::version};
  const Sides found = sides(given, across);
  EXPECT_EQ(found.labels, (std::vector<std::string>{"old", "new"}));
  ASSERT_EQ(found.groups.size(), 2u);
  EXPECT_EQ(found.groups[0].of_side[0].size(), 1u);
  EXPECT_EQ(found.groups[1].of_side[0].size(), 0u);
  EXPECT_EQ(found.groups[1].of_side[1].size(), 1u);
}

TEST(Sides, OfOneRunAreItsDtypes) {
  const Stream copy{.op = Stream::Op::copy, .bytes = 65536};
  const std::vector<Given> given = {
      {"run",
       {run({row(product(DType::f32, 64), {}), row(product(DType::bf16, 64), {}),
             row(product(DType::int8, 64), {}), row(copy, {})})}}};
  const Across across[] = {Across::dtype};
  const Sides found = sides(given, across);
  EXPECT_EQ(found.labels, (std::vector<std::string>{"f32", "bf16", "int8"}));
  ASSERT_EQ(found.groups.size(), 1u) << "a copy has no dtype to vary";
  EXPECT_EQ(found.groups[0].key, "gemm/*/64x64x64@cpu:0/cold/pipelined");
}

TEST(Sides, OfManyRunsAreTheirWorkers) {
  Row torch = row(product(DType::f32, 64), {});
  torch.worker = "torch";
  const std::vector<Given> given = {{"a", {run({row(product(DType::f32, 64), {})})}},
                                    {"b", {run({torch})}}};
  const Across across[] = {Across::worker};
  EXPECT_EQ(sides(given, across).labels, (std::vector<std::string>{"cpu", "torch"}));
}

TEST(Sides, OfWorkersMeetOnTheProcessorWhateverTheyCallIt) {
  Row torch = row(product(DType::f32, 64), {}), gpu = torch, broken = torch;
  torch.worker = gpu.worker = "torch";
  torch.device = "cpu";
  gpu.device = "cuda:0";
  broken.worker = "mlx";
  broken.device = "-";  // it did not even start
  broken.status = Status::failed;
  broken.reason = "hello: no library";
  const std::vector<Given> given = {
      {"run", {run({row(product(DType::f32, 64), {}), torch, gpu, broken})}}};
  const Across across[] = {Across::worker};
  const Sides found = sides(given, across);
  EXPECT_EQ(found.labels, (std::vector<std::string>{"cpu", "torch", "mlx"}));
  ASSERT_EQ(found.groups.size(), 2u);
  EXPECT_EQ(found.groups[0].of_side[0].size(), 1u);
  EXPECT_EQ(found.groups[0].of_side[1].size(), 1u);
  EXPECT_EQ(found.groups[0].of_side[1][0].row->device, "cpu");
  EXPECT_EQ(found.groups[1].of_side[1][0].row->device, "cuda:0");
  for (const Group& group : found.groups) EXPECT_EQ(group.of_side[2].size(), 1u);
  const Comparison all = compare(found, across, {});
  const bool told = std::any_of(all.pairs.begin(), all.pairs.end(), [](const Pair& pair) {
    return pair.refused == "mlx: failed: hello: no library";
  });
  EXPECT_TRUE(told);
}

TEST(Differs, SaysWhatIsNotDeclared) {
  struct Case {
    const char* what;
    Across allowed;  // by this
    bool ever;
    void (*change)(ridge::Run&);
  };
  const Case cases[] = {
      {"method_version", Across::version, false,
       [](ridge::Run& r) { r.header.tool.set("method_version", 2); }},
      {"generator", Across::version, false,
       [](ridge::Run& r) { r.header.tool.set("generator_version", 2); }},
      {"machine", Across::machine, true, [](ridge::Run& r) { r.header.machine_key = "box-2"; }},
      {"version", Across::version, true,
       [](ridge::Run& r) { r.header.tool.set("version", "0.2.0"); }},
      {"build_type", Across::version, true,
       [](ridge::Run& r) { r.header.tool.set("build_type", "Debug"); }},
      {"onednn", Across::version, true,
       [](ridge::Run& r) {
         Json libraries = Json::object(), hello = Json::object();
         libraries.set("onednn", "3.7");
         hello.set("worker", "cpu").set("libraries", std::move(libraries));
         r.header.workers = Json::array();
         r.header.workers.push(std::move(hello));
       }},
      {"executed", Across::dtype, true, [](ridge::Run& r) { r.rows[0].executed_dtype = "tf32"; }}};
  const ridge::Run base = run({row(product(DType::f32, 64), {})});
  const Member a{&base, &base.rows[0]};
  for (const Case& c : cases) {
    ridge::Run other = base;
    c.change(other);
    const Member b{&other, &other.rows[0]};
    for (const std::string_view text : kAcrossNames) {
      const Across across[] = {*parse_across(text)};
      const bool fine = c.ever && across[0] == c.allowed;
      const std::string told = differs(a, b, across);
      EXPECT_EQ(told.empty(), fine) << c.what << " across " << text << ": " << told;
      if (!fine) {
        EXPECT_NE(told.find(c.what), std::string::npos) << told;
      }
    }
  }
  // What a library says of the machine is no version.
  ridge::Run other = base;
  other.header.workers.as_array()[0].set(
      "libraries", Json(Json::Object{{"onednn", "2.6.3"}, {"onednn isa", "avx2"}}));
  const Across across[] = {Across::machine};
  EXPECT_EQ(differs(a, {&other, &other.rows[0]}, across), "");
}

TEST(Compare, FindsAPlantedDifferenceAndSwapsWithItsSides) {
  std::vector<Row> before, after;
  for (const int64_t size : {16, 32, 64, 128}) {
    const auto salt = static_cast<uint64_t>(size);
    before.push_back(row(product(DType::f32, size), {.ns = 1e6, .salt = salt}));
    // The first two lose 15 %, the others nothing.
    after.push_back(row(product(DType::f32, size),
                        {.ns = size < 64 ? 1.15e6 : 1e6, .cv = 0.002, .salt = salt + 1}));
  }
  const Given a{"a", {run(before)}}, b{"b", {run(after)}};
  const auto there = compared({a, b}, {Across::version}),
             back = compared({b, a}, {Across::version});
  ASSERT_EQ(there.pairs.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(*there.pairs[i].ratio * *back.pairs[i].ratio, 1, 1e-9);
    EXPECT_EQ(there.pairs[i].verdict, i < 2 ? SpeedVerdict::slower : SpeedVerdict::same) << i;
    EXPECT_EQ(back.pairs[i].verdict, i < 2 ? SpeedVerdict::faster : SpeedVerdict::same);
    EXPECT_GE(there.pairs[i].band, 0.01);
  }
}

TEST(Compare, OneRunWithoutRoundsIsUnclear) {
  const auto one = [](double ns) {
    return run({row(product(DType::f32, 64), {.ns = ns, .rounds = 2})});
  };
  const auto out = compared({{"a", {one(1e6)}}, {"b", {one(2e6)}}}, {Across::version});
  ASSERT_EQ(out.pairs.size(), 1u);
  EXPECT_EQ(out.pairs[0].verdict, SpeedVerdict::unclear);
  EXPECT_EQ(out.pairs[0].note, "one run");
  EXPECT_NEAR(*out.pairs[0].ratio, 0.5, 0.05);
}

TEST(Compare, ThreeRunsASideCountAsLaunches) {
  // Rounds of a run agree to 0.1 %, runs differ by 5 %: rounds alone would claim far too much.
  const auto side = [](double ns, uint64_t salt) {
    std::vector<ridge::Run> runs;
    const auto key = tensor_key(3, salt, 0, "launch");
    for (int i = 0; i < 4; ++i) {
      runs.push_back(run(
          {row(product(DType::f32, 64), {.ns = ns * std::exp(0.05 * synthetic::gaussian(key, i)),
                                         .cv = 0.001,
                                         .salt = salt * 100 + static_cast<uint64_t>(i)})}));
    }
    return runs;
  };
  int claimed = 0;
  for (uint64_t salt = 1; salt <= 200; ++salt) {
    const auto out =
        compared({{"a", side(1e6, 2 * salt)}, {"b", side(1e6, 2 * salt + 1)}}, {Across::version});
    ASSERT_EQ(out.pairs.size(), 1u);
    const auto verdict = out.pairs[0].verdict;
    claimed += verdict == SpeedVerdict::faster || verdict == SpeedVerdict::slower;
  }
  EXPECT_LE(claimed, 18) << "5 % of 200, and its chance";
}

TEST(Compare, SaysNothingBelowTheMachinesOwnNoise) {
  const auto noisy = [](double ns, double spread) {
    ridge::Run out = run({row(product(DType::f32, 64), {.ns = ns, .cv = 0.001})});
    for (const double at : {1.0, 1 - spread, 1 + spread}) {
      out.canaries.push_back({"gemm/f32/1024x1024x1024", 0, 1e6 * at});
      out.canaries.push_back({"stream/copy/64MiB", 0, 1e6});
    }
    return out;
  };
  const auto verdict = [&](double spread) {
    return compared({{"a", {noisy(1e6, spread)}}, {"b", {noisy(1.05e6, 0)}}}, {Across::version})
        .pairs.at(0)
        .verdict;
  };
  EXPECT_EQ(verdict(0.01), SpeedVerdict::slower);
  EXPECT_EQ(verdict(0.08), SpeedVerdict::same) << "within a band of 8 %";
}

TEST(Compare, AMachineThatSlowedDownBetweenTwoRunsIsNotASlowerRow) {
  const auto at_speed = [](double slow, uint64_t salt) {
    ridge::Run out =
        run({row(product(DType::f32, 64), {.ns = 1e6 * slow, .cv = 0.003, .salt = salt})});
    const auto key = tensor_key(5, salt, 0, "canary");
    for (int i = 0; i < 5; ++i) {
      const double noise = std::exp(0.003 * synthetic::gaussian(key, i));
      out.canaries.push_back({"gemm/f32/1024x1024x1024", 0, 1e7 * slow * noise});
    }
    return out;
  };
  int alarms = 0, found = 0;
  for (uint64_t salt = 1; salt <= 100; ++salt) {
    const auto verdict = [](ridge::Run a, ridge::Run b) {
      return compared({{"a", {std::move(a)}}, {"b", {std::move(b)}}}, {Across::version})
          .pairs.at(0)
          .verdict;
    };
    const double drift = salt % 2 == 0 ? 1.07 : 0.94;
    const auto drifted = verdict(at_speed(1, 2 * salt), at_speed(drift, 2 * salt + 1));
    alarms += drifted == SpeedVerdict::faster || drifted == SpeedVerdict::slower;
    // The row alone became slower, the canary did not.
    ridge::Run slower = at_speed(1, 2 * salt + 1);
    slower.rows = at_speed(1.07, 2 * salt + 1).rows;
    found += verdict(at_speed(1, 2 * salt), slower) == SpeedVerdict::slower;
  }
  EXPECT_LE(alarms, 5);
  EXPECT_GE(found, 95);
}

// A machine that loses half of its speed while both sides are measured in turn: rounds as such
// differ far more than the sides do.
TEST(Compare, TheSidesOfALiveComparisonAreHeldAgainstEachOtherRoundByRound) {
  const auto side = [](const char* which, const char* id, double ns, uint64_t salt) {
    ridge::Run out =
        run({row(product(DType::f32, 64), {.ns = ns, .cv = 0.005, .rounds = 16, .salt = salt})});
    auto& rounds = out.rows[0].time.round_medians_ns;
    for (size_t i = 0; i < rounds.size(); ++i) rounds[i] *= 1 + 0.07 * static_cast<double>(i / 2);
    // Canaries that say the machine is not to be trusted: they do not count here.
    for (const double at : {1.0, 1.1, 1.2}) {
      out.canaries.push_back({"gemm/f32/1024x1024x1024", 0, 1e6 * at});
    }
    out.header.settings.set("live", Json::object().set("id", id).set("side", which));
    return out;
  };
  const auto pair_of = [](const ridge::Run& a, const ridge::Run& b) {
    return compared({{"a", {a}}, {"b", {b}}}, {Across::version}).pairs.at(0);
  };
  int same = 0, slower = 0, faster = 0, apart = 0, others = 0;
  for (uint64_t salt = 1; salt <= 50; ++salt) {
    const ridge::Run a = side("A", "7", 1e6, 2 * salt), alike = side("B", "7", 1e6, 2 * salt + 1),
                     slow = side("B", "7", 1.04e6, 2 * salt + 1);
    const Pair pair = pair_of(a, alike);
    EXPECT_EQ(pair.noise, 0);
    same += pair.verdict == SpeedVerdict::same;
    slower += pair_of(a, slow).verdict == SpeedVerdict::slower;
    faster += pair_of(slow, a).verdict == SpeedVerdict::faster;  // whichever is named first
    // Not of one comparison: as any two runs.
    apart += pair_of(a, side("B", "8", 1.04e6, 2 * salt + 1)).verdict == SpeedVerdict::slower;
    others += pair_of(side("A", "7", 1e6, 3), side("A", "7", 1.04e6, 4)).noise > 0;
  }
  EXPECT_GE(same, 40);
  EXPECT_GE(slower, 48);
  EXPECT_GE(faster, 48);
  EXPECT_EQ(apart, 0);
  EXPECT_EQ(others, 50);
}

TEST(Compare, RefusesWhatHasNoAnswer) {
  Row wrong = row(product(DType::f32, 64), {});
  wrong.status = Status::incorrect;
  wrong.reason = "element 3 is NaN";
  const auto out = compared(
      {{"a", {run({row(product(DType::f32, 64), {})})}}, {"b", {run({wrong})}}}, {Across::version});
  ASSERT_EQ(out.pairs.size(), 1u);
  EXPECT_NE(out.pairs[0].refused.find("element 3 is NaN"), std::string::npos);
  EXPECT_FALSE(out.pairs[0].ratio);
}

TEST(Recommend, TheFastestWayAndByHowMuch) {
  Row packed = row(product(DType::bf16, 64), {.ns = 0.5e6}), torch = packed;
  packed.settings.form = Form::packed;
  torch.worker = "torch";
  torch = row(product(DType::bf16, 64), {.ns = 0.8e6});
  torch.worker = "torch";
  const std::vector<Given> given = {{"a",
                                     {run({row(product(DType::f32, 64), {.ns = 1e6}),
                                           row(product(DType::bf16, 64), {.ns = 0.6e6}), packed,
                                           row(product(DType::f32, 32), {.ns = 1})})}},
                                    {"b", {run({torch}, "box-2")}}};
  const auto found = recommend(given);
  ASSERT_EQ(found.size(), 1u) << "a job that only one way was measured for has none";
  EXPECT_EQ(found[0].job, "gemm/*/64x64x64 cold/pipelined");
  EXPECT_EQ(describe(found[0].best), "bf16 on cpu:0 of box-1, packed");
  EXPECT_EQ(describe(found[0].next), "bf16 on torch:0 of box-2") << "another form is no other way";
  EXPECT_NEAR(found[0].margin, 1.6, 0.05);
  EXPECT_EQ(found[0].verdict, SpeedVerdict::faster);
}

TEST(Support, SaysWhatEachDoesAndWhyNot) {
  Row half = row(product(DType::f16, 64), {});
  half.status = Status::unsupported;
  half.reason = "no f16 here";
  Row torch = row(product(DType::f16, 64), {});
  torch.worker = "torch";
  const auto matrix = support({{"a", {run({half, torch, row(product(DType::f32, 64), {})})}}});
  EXPECT_EQ(matrix.columns, (std::vector<std::string>{"cpu:0 of box-1", "torch:0 of box-1"}));
  EXPECT_EQ(matrix.rows, (std::vector<std::string>{"gemm f16", "gemm f32"}));
  EXPECT_EQ(matrix.cells[0][0]->unsupported, 1u);
  EXPECT_EQ(matrix.cells[0][0]->reason, "no f16 here");
  EXPECT_EQ(matrix.cells[0][1]->ok, 1u);
  EXPECT_FALSE(matrix.cells[1][1]);
}

}  // namespace
