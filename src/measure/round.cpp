#include "measure/round.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <thread>

#include "measure/check.h"
#include "measure/watch.h"
#include "stats/quantile.h"
#include "workload/model/twin.h"

namespace ridge {
namespace {

constexpr double kLeastSampleNs = 1e6;
// Of samples on a device's own clock: it runs from the first submission on, and a submission
// through an autograd engine takes 0.2 ms before the first kernel starts.
constexpr double kLeastDeviceSampleNs = 2e7;
constexpr double kLeastTicks = 1000;
constexpr double kLeastOverheads = 200;
constexpr int64_t kMostSamples = 20'000;
constexpr double kCalibrationNs = 2e7;
constexpr int64_t kAllCopiesUpTo = 48;  // checked after timing; of more, so many by chance
// Device and host: a sample's host time holds its device time, and little else than a submission.
constexpr double kSubmissionNs = 2e5;
// A pass over fresh inputs, seen by our own clock.
constexpr double kFreshFactor = 3;     // may take so many times what was claimed
constexpr double kFreshSlackNs = 1e7;  // and the messages this much
constexpr double kFetchBytePerNs = 2;  // and operands that `hot` had in a cache come from memory
constexpr double kCheapFillBytes = 2.5e8;  // up to here every row is tried, beyond on suspicion
constexpr int kFreshTries = 40;            // a busy machine lets one of them through …
constexpr double kFreshTriesNs = 6e9;      // … in this time …
constexpr double kFreshPauseS = 0.06;   // … which they are spread over: a stall may take seconds
constexpr double kTimeSliceNs = 1e7;    // more for each op where others were at work
constexpr int kFewTries = 5;            // whatever the time
constexpr int kTimingTries = 3;         // of a round whose samples do not add up
constexpr double kAllocPatience = 600;  // s
constexpr uint64_t kFreshSalt = uint64_t{1} << 62;

double now_ns() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A worker may be a hundred times slower than a good one before it counts as hanging.
double patience(const PlannedRow& row, const Workload& work, const Effort& effort) {
  const Cost c = cost(work, row.settings);
  const double bytes = std::max(c.footprint, 2.0 * static_cast<double>(row.cache_bytes));
  // Taking all of a large machine's memory is one op, and silent.
  const double alone = std::holds_alternative<Alloc>(work) ? kAllocPatience : 0;
  return effort.deadline_s + c.model_flops / 1e9 + bytes / 1e8 + alone;
}

// Empty: its result is no tensor.
std::vector<std::string> outputs_of(const Workload& work) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.role == TensorSpec::Role::output) names.push_back(spec.name);
  }
  return names;
}

class Round {
 public:
  Round(Client& client, const PlannedRow& row, const Effort& effort, const RoundRequest& request)
      : client_(client),
        row_(row),
        effort_(effort),
        request_(request),
        seconds_(request.seconds),
        patience_s_(patience(row, row.work, effort)) {}

  RoundOutcome measure() {
    if (prepare() && check_before() && calibrate() && time_and_believe() && check_after() &&
        try_fresh()) {
      judge_cache();
    }
    if (held_ && client_.alive()) {
      (void)client_.release(out_.prepared.handle, patience_s_);
    }
    // One model at a time: two may not fit.
    if (out_.status == Status::ok && timed_logits_ && request_.check_twin) check_by_twin();
    return std::move(out_);
  }

 private:
  // Takes the value out of a worker's answer, or ends the round with what went wrong.
  template <class T>
  bool take(Result<T>& answer) {
    if (answer) return true;
    fail(Status::failed, answer.error().message);
    return false;
  }
  void fail(Status status, std::string reason) {
    out_.status = status;
    out_.reason = std::move(reason);
    out_.worker_lost = !client_.alive();
    if (status == Status::failed) out_.stderr_tail = client_.stderr_tail();
  }

  bool prepare() {
    auto prepared =
        client_.prepare({row_.work, row_.settings, row_.device, request_.salt}, patience_s_);
    if (!take(prepared)) return false;
    out_.prepared = *std::move(prepared);
    out_.ready_s = out_.prepared.prepare_ns * 1e-9;
    held_ = !out_.prepared.unsupported;
    out_.notes = out_.prepared.notes;
    if (out_.prepared.unsupported) {
      fail(Status::unsupported, *out_.prepared.unsupported);
      return false;
    }
    return true;
  }

  bool check_one(int64_t copy, int64_t want, bool run, uint64_t salt) {
    CheckRequest check{.handle = out_.prepared.handle,
                       .inputs = {effort_.seed, salt, copy},
                       .want = want,
                       .run = run,
                       .deadline_s = patience_s_};
    auto checked = check_outputs(client_, row_.work, check, out_.check);
    if (!take(checked)) return false;
    if (checked->run_ns) out_.first_call_ns = checked->run_ns;
    unjudged_ = std::move(checked->unjudged);
    if (out_.check.verdict != CheckOutcome::Verdict::wrong) return true;
    fail(Status::incorrect, out_.check.detail);
    return false;
  }

  bool check_before() {
    if (!request_.check_first) return true;
    const double asked = now_ns();
    if (!check_one(0, 256, true, request_.salt * 2 + 1)) return false;
    out_.ready_s += (now_ns() - asked - out_.first_call_ns.value_or(0)) * 1e-9;
    // How long an op takes was a guess until now.
    if (request_.slice > 0 && out_.first_call_ns) {
      const double least = kLeastOps * *out_.first_call_ns * 1e-9;
      const double enough = std::max(request_.slice, least);
      // A disk may be many times slower than what an op was guessed by.
      seconds_ = reads_file(row_.work) ? enough : std::min(seconds_, enough);
    }
    first_logits_ = std::move(unjudged_);
    return true;
  }

  // Other tokens make other logits. (Of a few tokens the inputs may be the same by chance.)
  bool logits_are_new() {
    if (!first_logits_ || context_of(row_.work) < 4) return true;
    auto now = client_.check(
        {.handle = out_.prepared.handle, .tensor = "logits", .elements = first_logits_->elements},
        patience_s_);
    if (!take(now)) return false;
    if (now->values != first_logits_->values) return true;
    out_.check.verdict = CheckOutcome::Verdict::wrong;
    out_.check.detail =
        fmt::format("logits are the same for other tokens: logits[{}] is {:.9g} for both",
                    first_logits_->elements[0], first_logits_->values[0]);
    fail(Status::incorrect, out_.check.detail);
    return false;
  }

  void check_by_twin() {
    const double began = now_ns();
    const double patience_s = patience(row_, *twin(row_.work), effort_);
    auto done = ridge::check_by_twin(client_,
                                     {.work = row_.work,
                                      .settings = row_.settings,
                                      .device = row_.device,
                                      .inputs = {effort_.seed, request_.salt * 2, 0},
                                      .deadline_s = patience_s},
                                     *timed_logits_, out_.check);
    out_.twin_s = (now_ns() - began) * 1e-9;
    if (!done) {
      fail(Status::failed, fmt::format("its answers could not be checked by {}: {}",
                                       twin_in_words(row_.work), done.error().message));
    } else if (out_.check.verdict == CheckOutcome::Verdict::wrong) {
      fail(Status::incorrect, out_.check.detail);
    } else {
      out_.notes.push_back(
          fmt::format("checked against {}, not against float64", out_.check.against));
    }
  }

  // How many ops make a sample long enough for the clock.
  bool calibrate() {
    out_.ops_per_sample = std::max<int64_t>(request_.ops_per_sample, 1);
    if (row_.settings.timing == Timing::isolated || request_.ops_per_sample > 0) return true;
    const auto& hello = client_.hello();
    double needed = std::max({kLeastSampleNs, kLeastTicks * hello.clock_tick_ns,
                              kLeastOverheads * hello.clock_overhead_ns,
                              2 * seconds_ * 1e9 / double{kMostSamples}});
    if (out_.first_call_ns.value_or(0) > 20 * needed) return true;
    std::vector<double> ns;
    bool on_device = false;
    auto reply = client_.time(
        {.handle = out_.prepared.handle,
         .salt = request_.salt * 2 + 1,
         .most_samples = 1000,
         .most_ns = kCalibrationNs},
        [&](const protocol::Samples& samples) {
          ns.insert(ns.end(), samples.host_ns.begin(), samples.host_ns.end());
          on_device = !samples.device_ns.empty();
          return true;
        },
        patience_s_);
    if (!take(reply)) return false;
    if (on_device) needed = std::max(needed, kLeastDeviceSampleNs);
    out_.timed_s += reply->wall_ns * 1e-9;
    out_.fill_s += reply->fill_ns * 1e-9;
    // The mean has a say where some ops take far longer than others: a sample must not take for
    // ever.
    const double mean = std::accumulate(ns.begin(), ns.end(), 0.0) /
                        static_cast<double>(std::max<size_t>(ns.size(), 1));
    const double typical = stats::median(ns).value_or(needed) - hello.clock_overhead_ns;
    const double one = std::max({1.0, typical, mean / 10});
    out_.ops_per_sample = std::max<int64_t>(1, std::llround(std::ceil(needed / one)));
    return true;
  }

  // Our own process may have been kept from hearing in time: what does not add up is tried again.
  bool time_and_believe() {
    std::string why;
    for (int i = 0; i < kTimingTries; ++i) {
      out_.start_ns.clear();
      out_.ns.clear();
      host_ns_.clear();
      device_samples_ = 0;
      if (!time(why)) return false;
      if (why.empty()) return true;
    }
    fail(Status::incorrect, why);
    return false;
  }

  // One request. `why` is what does not add up, empty if all does.
  bool time(std::string& why) {
    auto rule = stats::StoppingRule::for_budget(seconds_, effort_.round_target);
    rule.least_s = std::min(0.5, 0.7 * seconds_);
    stats::Decision decision;
    int64_t next_check = rule.few_samples;
    double measured_ns = 0;
    const double overhead = client_.hello().clock_overhead_ns;
    const auto ops = static_cast<double>(out_.ops_per_sample);
    std::optional<Watch> watch;  // from the first samples on, not while filling
    auto reply = client_.time(
        {.handle = out_.prepared.handle,
         .salt = request_.salt * 2,
         .ops_per_sample = out_.ops_per_sample,
         .most_samples = kMostSamples,
         .most_ns = seconds_ * 1e9},
        [&](const protocol::Samples& samples) {
          if (!watch) watch.emplace(client_.pid());
          const bool on_device = !samples.device_ns.empty();
          for (size_t i = 0; i < samples.host_ns.size(); ++i) {
            measured_ns += samples.host_ns[i];
            const double host = samples.host_ns[i] - overhead;
            const double own = on_device ? samples.device_ns[i] : host;
            out_.timer_limited |= own < 100 * overhead && !on_device;
            out_.start_ns.push_back(samples.start_ns[i]);
            out_.ns.push_back(std::max(own, 0.0) / ops);
            host_ns_.push_back(std::max(host, 0.0) / ops);
          }
          if (on_device) device_samples_ += samples.device_ns.size();
          if (samples.host_ns.empty()) return true;
          watch->look((samples.start_ns.back() + samples.host_ns.back()) * 1e-9);
          const auto n = static_cast<int64_t>(out_.ns.size());
          if (n < next_check) return true;
          const double elapsed = (samples.start_ns.back() + samples.host_ns.back()) * 1e-9;
          decision = stats::decide(rule, out_.ns, ops, elapsed);
          next_check = decision.next_check;
          return request_.to_the_end || decision.verdict == stats::Verdict::go_on;
        },
        patience_s_);
    if (!take(reply)) return false;
    out_.timed_s += reply->wall_ns * 1e-9;
    out_.fill_s += reply->fill_ns * 1e-9;
    if (!request_.check_first) out_.ready_s += reply->fill_ns * 1e-9;
    out_.bytes_peak = reply->timed.bytes_peak;
    out_.values = reply->timed.values;
    for (const std::string& note : reply->timed.notes) {
      if (std::find(out_.notes.begin(), out_.notes.end(), note) == out_.notes.end()) {
        out_.notes.push_back(note);
      }
    }
    if (out_.ns.empty()) {
      fail(Status::failed, "time: no samples");
      return false;
    }
    if (watch) out_.watched = watch->end();
    believe_device_or_host(ops);
    decision = stats::decide(rule, out_.ns, ops, seconds_);
    out_.first_steady = decision.first_steady;
    out_.caveat = decision.caveat;
    if (out_.watched.power_w && row_.on_processor) {
      const double op_s = std::accumulate(out_.ns.begin(), out_.ns.end(), 0.0) * 1e-9 /
                          static_cast<double>(out_.ns.size());
      out_.watched.telemetry.energy_j_per_op = *out_.watched.power_w * op_s;
    }
    const double untimed = made_ready_each_time(row_.work) ? reply->timed.untimed_ns : 0;
    why = held_against_wall_clock(measured_ns, reply->wall_ns - untimed,
                                  reply->wall_ns + reply->fill_ns);
    return true;
  }

  // What the device's clock says is used where all samples have it and the host's agrees.
  void believe_device_or_host(double ops) {
    if (device_samples_ == 0) return;
    const double device = std::accumulate(out_.ns.begin(), out_.ns.end(), 0.0) * ops;
    const double host = std::accumulate(host_ns_.begin(), host_ns_.end(), 0.0) * ops;
    const double slack = std::max(0.5 * host, kSubmissionNs * static_cast<double>(out_.ns.size()));
    const bool agree = device <= 1.02 * host + slack / 100 && device >= host - slack;
    if (device_samples_ == out_.ns.size() && agree) return;
    out_.ns = host_ns_;
    out_.fallback_timer = true;
  }

  // Samples that add up to much less than our own clock saw: the worker measured something else
  // than it spent its time on, such as a call that returns before the work is done. We may have
  // been late to hear of the start, so what is too much is held against the whole request.
  std::string held_against_wall_clock(double measured_ns, double wall_ns, double request_ns) const {
    const auto n = static_cast<double>(out_.ns.size());
    // Reading the clock, a few times a sample.
    const double clock_ns = n * std::clamp(4 * client_.hello().clock_overhead_ns, 3000.0, 50000.0);
    if (measured_ns > 1.001 * request_ns + 1e6) {
      return fmt::format("the samples add up to {}, but only {} passed", show_time(measured_ns),
                         show_time(request_ns));
    }
    if (measured_ns + clock_ns < 0.75 * wall_ns - 3e7) {
      return fmt::format("the samples add up to {} of {} that passed: time went by outside of them",
                         show_time(measured_ns), show_time(wall_ns));
    }
    return "";
  }

  bool check_after() {
    const int64_t touched = std::clamp<int64_t>(
        static_cast<int64_t>(out_.ns.size()) * out_.ops_per_sample, 1, out_.prepared.copies);
    std::set<int64_t> copies;
    if (touched <= kAllCopiesUpTo) {
      for (int64_t copy = 0; copy < touched; ++copy) copies.insert(copy);
    } else {
      const TensorKey key = tensor_key(effort_.seed, request_.salt, 0, "copies");
      copies = {0, touched - 1};
      for (int64_t i = 0; i < kAllCopiesUpTo; ++i) {
        copies.insert(static_cast<int64_t>(random_uniform(key, i) * static_cast<double>(touched)));
      }
    }
    const int64_t want = model_use(row_.work) ? 256 : copies.size() > 4 ? 4 : 64;
    const double asked = now_ns();
    for (const int64_t copy : copies) {
      if (!check_one(copy, want, false, request_.salt * 2)) return false;
      if (copy != 0) continue;
      first_read_ns_ = now_ns() - asked;
      timed_logits_ = std::move(unjudged_);
    }
    return logits_are_new();
  }

  struct CheckOfOne {
    bool good = false;
    double took_ns = 0;
  };
  CheckOfOne ask_once(const std::string& tensor, int64_t copy) {
    const double asked = now_ns();
    auto read = client_.check(
        {.handle = out_.prepared.handle, .tensor = tensor, .copy = copy, .elements = {0}},
        patience_s_);
    return {take(read), now_ns() - asked};
  }

  // Ops of one request have the same inputs, so an answer that was remembered is right; and a call
  // that returns early has long been overtaken by its work when the answers are read. A single pass
  // over fresh inputs, until its answer is in our hands, tells both. Done where it is cheap, and
  // where the first pass or the first answer took suspiciously long.
  bool try_fresh() {
    const std::vector<std::string> outputs = outputs_of(row_.work);
    if (outputs.empty()) return true;
    const int64_t copies = std::min<int64_t>(
        out_.prepared.copies, static_cast<int64_t>(out_.ns.size()) * out_.ops_per_sample);
    const auto n = static_cast<double>(copies);
    const double op_ns = stats::median(host_ns_).value_or(0);
    const double footprint = cost(row_.work, row_.settings).footprint;
    double excess = 0;  // of the samples that hold the first op on each copy
    for (int64_t done = 0; done < copies; done += out_.ops_per_sample) {
      const double per_op = host_ns_[static_cast<size_t>(done / out_.ops_per_sample)];
      excess += (per_op - op_ns) * static_cast<double>(out_.ops_per_sample);
    }
    const bool cheap = request_.check_first && footprint * n <= kCheapFillBytes;
    const bool suspicious = std::max(excess, first_read_ns_) > 2 * n * op_ns + 5e6;
    if (!cheap && !suspicious) return true;

    const bool fetched = row_.settings.cache != CacheMode::cold;
    const double allowed =
        kFreshFactor * n * op_ns + kFreshSlackNs + (fetched ? footprint * n / kFetchBytePerNs : 0);
    // Each answer, and the same once more: the second shows what asking alone takes. Both at their
    // least of all tries: one slow second answer must not excuse a slow first.
    double least = 0, least_with_asking = std::numeric_limits<double>::infinity();
    std::vector<double> asking(outputs.size(), std::numeric_limits<double>::infinity());
    std::optional<Watch> others;  // only where the first try fails, which is seldom
    const double began = now_ns();
    for (int i = 0; i < kFreshTries; ++i) {
      if (i >= kFewTries) {
        if (now_ns() - began > kFreshTriesNs) break;
        std::this_thread::sleep_for(std::chrono::duration<double>(kFreshPauseS));
      }
      const uint64_t salt = (request_.salt * 2 + static_cast<uint64_t>(i)) | kFreshSalt;
      auto reply = client_.time(
          {.handle = out_.prepared.handle,
           .salt = salt,
           .ops_per_sample = copies,
           .most_samples = 1,
           .most_ns = 1},
          [](const protocol::Samples&) { return true; }, patience_s_);
      if (!take(reply)) return false;
      const double untimed = made_ready_each_time(row_.work) ? reply->timed.untimed_ns : 0;
      double took = reply->wall_ns - untimed;
      for (size_t k = 0; k < outputs.size(); ++k) {
        const CheckOfOne answer = ask_once(outputs[k], copies - 1);
        if (!answer.good) return false;
        const CheckOfOne again = ask_once(outputs[k], copies - 1);
        if (!again.good) return false;
        took += answer.took_ns;
        asking[k] = std::min({asking[k], again.took_ns, answer.took_ns});
      }
      if (!check_one(copies - 1, 1, false, salt)) return false;
      out_.timed_s += reply->wall_ns * 1e-9;
      least_with_asking = std::min(least_with_asking, took);
      least = least_with_asking - std::accumulate(asking.begin(), asking.end(), 0.0);
      if (least <= allowed) return true;
      if (!others) others.emplace(client_.pid()).look(0);
    }
    // Each op may have had to wait for a processor that somebody else had.
    if (others->end().contended && least <= allowed + n * kTimeSliceNs) {
      out_.watched.contended = true;
      return true;
    }
    fail(Status::incorrect,
         fmt::format("{} op{} on fresh inputs took {} where {} belong: answers are remembered, or "
                     "calls return before the work is done",
                     copies, copies == 1 ? "" : "s", show_time(least), show_time(n * op_ns)));
    return false;
  }

  void judge_cache() {
    if (row_.settings.cache != CacheMode::cold || outputs_of(row_.work).empty()) return;
    if (reads_file(row_.work)) return;  // the worker holds the page cache to what was asked
    const double footprint = cost(row_.work, row_.settings).footprint;
    const int64_t touched =
        std::min(out_.prepared.copies, static_cast<int64_t>(out_.ns.size()) * out_.ops_per_sample);
    if (row_.cache_bytes <= 0) {  // unknown: nobody can say that it was cold
      out_.cache_not_cold = true;
      return;
    }
    const double moved = footprint * static_cast<double>(touched);
    const auto cache = static_cast<double>(row_.cache_bytes);
    out_.cache_not_cold = moved < 2 * cache || (touched < 2 && footprint < 16 * cache);
  }

  Client& client_;
  const PlannedRow& row_;
  const Effort& effort_;
  const RoundRequest& request_;
  double seconds_;  // of timing
  double patience_s_;
  bool held_ = false;            // the worker has a handle of ours: any number, 0 too
  std::vector<double> host_ns_;  // per op, as out_.ns, whichever clock that follows
  size_t device_samples_ = 0;
  double first_read_ns_ = 0;
  // Logits that float64 cannot judge: read last, of the first check, and of what was timed.
  std::optional<Readings> unjudged_, first_logits_, timed_logits_;
  RoundOutcome out_;
};

}  // namespace

RoundOutcome measure_round(Client& client, const PlannedRow& row, const Effort& effort,
                           const RoundRequest& request) {
  return Round(client, row, effort, request).measure();
}

}  // namespace ridge
