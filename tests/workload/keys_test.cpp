// Keys name work for ever: results are found by them. keys.txt is the golden list.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "any_work.h"
#include "paths.h"

namespace {

using namespace ridge;

std::vector<std::pair<Workload, Settings>> golden_work() {
  std::vector<std::pair<Workload, Settings>> out;
  for (const DType dtype :
       {DType::f64, DType::f32, DType::tf32, DType::f16, DType::bf16, DType::int8}) {
    out.push_back({Gemm{.dtype = dtype, .m = 128, .n = 14336, .k = 4096}, {}});
  }
  out.push_back({Gemm{.dtype = DType::bf16, .output = DType::f32, .m = 1, .n = 2, .k = 3}, {}});
  out.push_back({Gemm{.dtype = DType::bf16, .output = DType::bf16, .m = 1, .n = 2, .k = 3}, {}});
  out.push_back({Gemm{.dtype = DType::int8, .output = DType::int32, .m = 1, .n = 2, .k = 3}, {}});
  out.push_back({Gemm{.layout = Gemm::Layout::nt, .m = 1, .n = 2, .k = 3}, {.form = Form::packed}});
  out.push_back({Gemm{.dtype = DType::f16,
                      .output = DType::f32,
                      .layout = Gemm::Layout::nt,
                      .m = 1,
                      .n = 2,
                      .k = 3},
                 {.cache = CacheMode::hot, .timing = Timing::isolated, .threads = 1}});
  out.push_back(
      {Gemm{.dtype = DType::fp8, .layout = Gemm::Layout::nt, .m = 1, .n = 2, .k = 3}, {}});
  for (const auto weights : {WeightFormat::q4_g64, WeightFormat::q8_g64}) {
    out.push_back({Gemm{.dtype = DType::bf16,
                        .layout = Gemm::Layout::nt,
                        .weights = weights,
                        .m = 1,
                        .n = 4096,
                        .k = 4096},
                   {}});
  }
  for (const auto weights :
       {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_k, WeightFormat::q6_k}) {
    out.push_back(
        {Gemm{.layout = Gemm::Layout::nt, .weights = weights, .m = 1, .n = 4096, .k = 4096}, {}});
  }
  for (const auto op : {Stream::Op::read, Stream::Op::write, Stream::Op::copy, Stream::Op::triad}) {
    for (const int64_t bytes : {int64_t{256}, int64_t{33024}, int64_t{65536}, int64_t{3} << 20,
                                int64_t{1} << 30, int64_t{3} << 29}) {
      out.push_back({Stream{.op = op, .bytes = bytes}, {}});
    }
  }
  out.push_back({Stream{.op = Stream::Op::copy, .bytes = 1 << 20, .nontemporal = true},
                 {.cache = CacheMode::warm, .form = Form::packed, .threads = 7, .graph = true}});
  using Mask = Attention::Mask;
  const Attention prefill{.dtype = DType::bf16,
                          .heads = 32,
                          .kv_heads = 8,
                          .seq_q = 4096,
                          .seq_kv = 4096,
                          .head_dim = 128};
  for (const Mask mask : {Mask::none, Mask::causal, Mask::window}) {
    for (const auto pass : {Attention::Pass::fwd, Attention::Pass::bwd}) {
      Attention a = prefill;
      a.mask = mask;
      if (mask == Mask::window) a.window = 1024;
      a.pass = pass;
      out.push_back({a, {}});
      out.push_back({a, {.backend = "unfused"}});
    }
  }
  out.push_back({Attention{.batch = 3,
                           .heads = 8,
                           .kv_heads = 8,
                           .seq_q = 1,
                           .seq_kv = 4096,
                           .head_dim = 64,
                           .mask = Mask::causal},
                 {.cache = CacheMode::hot, .graph = true, .backend = "flash"}});
  return out;
}

TEST(Keys, AreWhatTheyAlwaysWere) {
  std::stringstream now;
  for (const auto& [work, settings] : golden_work())
    now << row_key(work, settings, "w", "0") << "\n";
  std::ifstream file(paths::here() + "/keys.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(now.str(), golden.str()) << "a key that changes loses all results stored under it";
}

RC_GTEST_PROP(Keys, DifferWhereTheWorkDiffers, ()) {
  const Workload a = workload_test::any_work(), b = workload_test::any_work();
  // An output named that is the default anyway is the same work.
  const auto same = [](const Workload& x, const Workload& y) {
    const auto *g = std::get_if<Gemm>(&x), *h = std::get_if<Gemm>(&y);
    if (!g || !h) return x == y;
    Gemm left = *g, right = *h;
    left.output = g->output_dtype();
    right.output = h->output_dtype();
    return left == right;
  };
  RC_ASSERT((work_key(a) == work_key(b)) == same(a, b));
}

TEST(Keys, OfSmallWorkAreAllDifferent) {
  std::map<std::string, std::string> seen;
  int64_t count = 0;
  const auto add = [&](const Workload& work) {
    ++count;
    EXPECT_TRUE(seen.try_emplace(work_key(work), to_json(work).dump()).second) << work_key(work);
  };
  for (const DType dtype : {DType::f64, DType::f32, DType::tf32, DType::f16, DType::bf16}) {
    for (const auto layout : {Gemm::Layout::nn, Gemm::Layout::nt}) {
      for (int64_t m = 1; m < 4; ++m) {
        for (int64_t n = 1; n < 4; ++n) {
          for (int64_t k = 1; k < 4; ++k)
            add(Gemm{.dtype = dtype, .layout = layout, .m = m, .n = n, .k = k});
        }
      }
    }
  }
  for (const DType dtype : {DType::f32, DType::tf32, DType::f16, DType::bf16}) {
    for (int64_t i = 0; i < 4 * 2 * 3 * 3 * 2; ++i) {  // group, batch, queries, mask, pass
      Attention a{.dtype = dtype, .batch = 1 + i / 4 % 2, .kv_heads = 1, .head_dim = 8};
      a.heads = 1 + i % 4;
      a.seq_q = 1 + i / 8 % 3;
      a.seq_kv = 3;
      a.mask = static_cast<Attention::Mask>(i / 24 % 3);
      a.pass = static_cast<Attention::Pass>(i / 72);
      if (a.mask != Attention::Mask::window) {
        add(a);
        continue;
      }
      for (int64_t window = 1; window < 5; ++window) {
        a.window = window;
        add(a);
      }
    }
  }
  for (int64_t bytes = 256; bytes <= 1 << 20; bytes += 256) {
    add(Stream{.op = Stream::Op::copy, .bytes = bytes});
  }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), count);
}

TEST(Keys, SettingsDiffer) {
  std::set<std::string> keys;
  for (const auto cache : {CacheMode::cold, CacheMode::warm, CacheMode::hot}) {
    for (const auto timing : {Timing::isolated, Timing::pipelined}) {
      for (const auto form : {Form::plain, Form::packed}) {
        for (const int threads : {0, 1, 2}) {
          for (const bool graph : {false, true}) {
            for (const char* backend : {"", "unfused", "flash_2"}) {
              for (const int micro_batch : {0, 1, 512}) {
                keys.insert(
                    settings_key({cache, timing, form, threads, graph, backend, micro_batch}));
              }
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(keys.size(), 648u);
  // What would read like another setting is no name of a backend.
  for (const char* backend : {"packed", "graph", "1t", "ub512", "Flash", "a/b", "a b"}) {
    Json json = Json::object();
    json.set("backend", backend);
    EXPECT_FALSE(parse_settings(json, "here")) << backend;
  }
}

}  // namespace
