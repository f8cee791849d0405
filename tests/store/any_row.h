#pragma once

#include <rapidcheck.h>

#include <cmath>

#include "store/row.h"

// Random rows that could be in a file.
namespace store_test {

inline double any_number() {
  const double value = *rc::gen::arbitrary<double>();
  return std::isfinite(value) ? value : 1.5;
}

inline std::optional<double> maybe_number() {
  return *rc::gen::arbitrary<bool>() ? std::optional(any_number()) : std::nullopt;
}

inline std::string any_text() {  // with quotes, newlines and other scripts, but no broken UTF-8
  return *rc::gen::map(
      rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
          "a", "Z", " ", "\"", "\\", "\n", "\t", ",", "|", "ö", "☃", "🚀", "\x01")),
      [](const std::vector<std::string>& parts) {
        std::string out;
        for (const std::string& part : parts) out += part;
        return out;
      });
}

inline ridge::Workload any_work() {
  using namespace ridge;
  if (*rc::gen::arbitrary<bool>()) {
    Stream stream{.op = *rc::gen::element(Stream::Op::read, Stream::Op::write, Stream::Op::copy,
                                          Stream::Op::triad),
                  .bytes = 256 * *rc::gen::inRange<int64_t>(1, 1 << 30)};
    stream.nontemporal = stream.op != Stream::Op::read && *rc::gen::arbitrary<bool>();
    return stream;
  }
  if (*rc::gen::arbitrary<bool>()) {
    Attention a{.dtype = *rc::gen::element(DType::f32, DType::tf32, DType::f16, DType::bf16),
                .batch = *rc::gen::inRange<int64_t>(1, 8),
                .kv_heads = *rc::gen::inRange<int64_t>(1, 64),
                .seq_kv = *rc::gen::inRange<int64_t>(1, 1 << 16),
                .head_dim = *rc::gen::inRange<int64_t>(1, 256),
                .mask = *rc::gen::element(Attention::Mask::none, Attention::Mask::causal,
                                          Attention::Mask::window),
                .pass = *rc::gen::element(Attention::Pass::fwd, Attention::Pass::bwd)};
    a.heads = a.kv_heads * *rc::gen::inRange<int64_t>(1, 5);
    a.seq_q = *rc::gen::inRange<int64_t>(1, a.seq_kv + 1);
    if (a.mask == Attention::Mask::window) a.window = *rc::gen::inRange<int64_t>(1, 1 << 16);
    return a;
  }
  Gemm gemm{.dtype = *rc::gen::element(DType::f64, DType::f32, DType::tf32, DType::f16, DType::bf16,
                                       DType::int8),
            .layout = *rc::gen::element(Gemm::Layout::nn, Gemm::Layout::nt),
            .m = *rc::gen::inRange<int64_t>(1, 1 << 20),
            .n = *rc::gen::inRange<int64_t>(1, 1 << 20),
            .k = *rc::gen::inRange<int64_t>(1, 1 << 20)};
  if (gemm.dtype == DType::bf16 && *rc::gen::arbitrary<bool>()) gemm.output = DType::f32;
  return gemm;
}

inline ridge::Settings any_settings() {
  using namespace ridge;
  return {.cache = *rc::gen::element(CacheMode::cold, CacheMode::warm, CacheMode::hot),
          .timing = *rc::gen::element(Timing::isolated, Timing::pipelined),
          .form = *rc::gen::element(Form::plain, Form::packed),
          .threads = *rc::gen::inRange(0, 65537),
          .graph = *rc::gen::arbitrary<bool>(),
          .backend = *rc::gen::element<std::string>("", "unfused", "flash")};
}

inline ridge::Row any_row() {
  using namespace ridge;
  Row row;
  row.work = any_work();
  row.settings = any_settings();
  row.worker = any_text();
  row.device = any_text();
  row.status =
      *rc::gen::element(Status::ok, Status::unsupported, Status::failed, Status::incorrect);
  row.reason = any_text();
  row.kernel = any_text();
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
    row.notes.push_back(any_text());
    row.stderr_tail.push_back(any_text());
    row.time.round_medians_ns.push_back(any_number());
  }
  row.cost = cost(row.work, row.settings);
  row.rate = {maybe_number(), maybe_number(), maybe_number(), row.cost.rate_unit};
  row.time.median_ns = maybe_number();
  row.time.ci_low_ns = maybe_number();
  row.time.p99_ns = maybe_number();
  row.time.drift_percent = maybe_number();
  row.time.n = *rc::gen::arbitrary<int64_t>();
  row.time.warmup_s = any_number();
  row.check = {*rc::gen::element(CheckOutcome::Verdict::passed, CheckOutcome::Verdict::wrong,
                                 CheckOutcome::Verdict::not_run),
               *rc::gen::arbitrary<int64_t>(), any_number(), any_text(), any_text()};
  for (const FlagText& text : flag_texts()) {
    if (*rc::gen::inRange(0, 4) == 0) row.add(text.flag);
  }
  if (*rc::gen::arbitrary<bool>()) row.executed_dtype = "tf32";
  row.telemetry.readings = *rc::gen::inRange<int64_t>(0, 1000);
  row.telemetry.clock_median_mhz = maybe_number();
  row.telemetry.steal_percent = maybe_number();
  row.telemetry.energy_j_per_op = maybe_number();
  if (*rc::gen::arbitrary<bool>()) row.telemetry.throttle_events = *rc::gen::arbitrary<int64_t>();
  row.telemetry.energy_from = any_text();
  row.copies = *rc::gen::arbitrary<int64_t>();
  row.bytes_peak = *rc::gen::arbitrary<int64_t>();
  return row;
}

}  // namespace store_test
