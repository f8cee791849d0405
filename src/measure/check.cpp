#include "measure/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "workload/model/twin.h"

namespace ridge {
namespace {

void compare(const TensorSpec& spec, int64_t copy, const std::vector<int64_t>& elements,
             const std::vector<Expected>& expected, const std::vector<double>& values,
             CheckOutcome& outcome) {
  for (size_t i = 0; i < elements.size(); ++i) {
    const auto& [value, tolerance] = expected[i];
    const double error = std::fabs(values[i] - value);
    ++outcome.elements;
    const double scaled = tolerance > 0 ? error / tolerance : error;
    if (scaled > outcome.worst) outcome.worst = scaled;
    if (error <= tolerance) continue;  // false for NaN
    if (outcome.verdict != CheckOutcome::Verdict::wrong) {
      outcome.detail = fmt::format("{}[{}] of copy {} is {:.9g} where {:.9g} ± {:.2g} belongs",
                                   spec.name, elements[i], copy, values[i], value, tolerance);
    }
    outcome.verdict = CheckOutcome::Verdict::wrong;
  }
}

// The lower precision whose products make just such an error of f32 work; nullopt: none does. The
// products' operands are then the inputs rounded to it, as the generator rounds them.
std::optional<DType> error_is_of(const Workload& work, const InputSource& inputs,
                                 std::string_view tensor, const std::vector<int64_t>& elements,
                                 const std::vector<double>& values) {
  std::optional<DType> found;
  if (dtype_of(work) != DType::f32) return found;
  double least = 0;
  for (const DType dtype : {DType::tf32, DType::bf16}) {
    const auto lower = with_dtype(work, dtype);
    if (!lower) continue;
    const auto right = expected(*lower, inputs, tensor, elements);
    double squares = 0;
    bool fits = right.size() == values.size();
    for (size_t i = 0; fits && i < values.size(); ++i) {
      const double error = std::fabs(values[i] - right[i].value);
      squares += error * error;
      fits = error <= right[i].tolerance;
    }
    if (!fits || (found && squares >= least)) continue;
    found = dtype;
    least = squares;
  }
  return found;
}

std::string switch_of(DType dtype) {
  if (dtype == DType::tf32) return "the error is that of TF32 products, not of f32: a switch is on";
  return fmt::format("the error is that of {} products, not of f32", name(dtype));
}

void say_wrong(CheckOutcome& outcome, std::string detail) {
  if (outcome.verdict != CheckOutcome::Verdict::wrong) outcome.detail = std::move(detail);
  outcome.verdict = CheckOutcome::Verdict::wrong;
}

// What nobody has to compute a model for.
void look_at(const TensorSpec& spec, const Readings& read, CheckOutcome& outcome) {
  bool same = true;
  for (size_t i = 0; i < read.values.size(); ++i) {
    if (!std::isfinite(read.values[i])) {
      say_wrong(outcome, fmt::format("{}[{}] is {}", spec.name, read.elements[i], read.values[i]));
      return;
    }
    same &= read.values[i] == read.values[0];
  }
  if (same && read.values.size() > 1) {
    say_wrong(outcome, fmt::format("{}: all of {} elements are {:.9g}", spec.name,
                                   read.values.size(), read.values[0]));
  }
}

struct Spread {
  double deviation = 0;   // of the values themselves
  double difference = 0;  // root mean square
  size_t worst = 0;
};
Spread spread_of(const std::vector<double>& values, const std::vector<double>& others) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(others.begin(), others.end(), 0.0) / n;
  Spread out;
  for (size_t i = 0; i < values.size(); ++i) {
    out.deviation += (others[i] - mean) * (others[i] - mean) / n;
    out.difference += (values[i] - others[i]) * (values[i] - others[i]) / n;
    const auto off = [&](size_t at) { return std::fabs(values[at] - others[at]); };
    if (off(i) > off(out.worst)) out.worst = i;
  }
  out.deviation = std::sqrt(out.deviation);
  out.difference = std::sqrt(out.difference);
  return out;
}

}  // namespace

Result<Checked> check_outputs(Client& client, const Workload& work, const CheckRequest& request,
                              CheckOutcome& outcome) {
  Checked checked;
  bool run = request.run;
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.role != TensorSpec::Role::output) continue;
    // Which elements are looked at must not be guessable from the inputs.
    const TensorKey choice = tensor_key(request.inputs.seed ^ 0x5bd1e995u, request.inputs.salt,
                                        static_cast<uint64_t>(request.inputs.copy), "elements");
    const auto elements = elements_to_check(work, spec.name, request.want, choice);
    auto reply = client.check({.handle = request.handle,
                               .tensor = spec.name,
                               .copy = request.inputs.copy,
                               .run = run,
                               .salt = request.inputs.salt,
                               .elements = elements},
                              request.deadline_s);
    if (!reply) return reply.error();
    if (run) checked.run_ns = reply->run_ns;
    run = false;
    const auto right = expected(work, request.inputs, spec.name, elements);
    if (right.empty() && model_use(work)) {
      checked.unjudged = Readings{elements, std::move(reply->values)};
      look_at(spec, *checked.unjudged, outcome);
      continue;
    }
    if (outcome.verdict == CheckOutcome::Verdict::not_run) {
      outcome.verdict = CheckOutcome::Verdict::passed;
    }
    const bool right_before = outcome.verdict == CheckOutcome::Verdict::passed;
    compare(spec, request.inputs.copy, elements, right, reply->values, outcome);
    if (!right_before || outcome.verdict == CheckOutcome::Verdict::passed) continue;
    const auto lower = error_is_of(work, request.inputs, spec.name, elements, reply->values);
    if (lower) outcome.detail = fmt::format("{} ({})", switch_of(*lower), outcome.detail);
  }
  return checked;
}

Result<void> check_by_twin(Client& client, const TwinRequest& request, const Readings& read,
                           CheckOutcome& outcome) {
  const auto other = twin(request.work);
  if (!other) return {};
  std::vector<int64_t> mine, theirs;
  std::vector<double> values;
  for (size_t i = 0; i < read.elements.size(); ++i) {
    const auto at = twin_element(request.work, read.elements[i]);
    if (!at) continue;
    mine.push_back(read.elements[i]);
    theirs.push_back(*at);
    values.push_back(read.values[i]);
  }
  if (values.empty()) return Error{"no element of it was read"};
  auto prepared = client.prepare({*other, request.settings, request.device, request.inputs.salt},
                                 request.deadline_s);
  if (!prepared) return prepared.error();
  if (prepared->unsupported) return Error{*prepared->unsupported};
  auto reply = client.check({.handle = prepared->handle,
                             .tensor = "logits",
                             .copy = request.inputs.copy,
                             .run = true,
                             .salt = request.inputs.salt,
                             .elements = theirs},
                            request.deadline_s);
  if (client.alive()) (void)client.release(prepared->handle, request.deadline_s);
  if (!reply) return reply.error();

  outcome.against = twin_in_words(request.work);
  const auto specs = tensors(*other);
  look_at(specs.front(), {theirs, reply->values}, outcome);
  if (outcome.verdict == CheckOutcome::Verdict::wrong) {
    outcome.detail = fmt::format("{}: {}", outcome.against, outcome.detail);
    return {};
  }
  outcome.verdict = CheckOutcome::Verdict::passed;
  outcome.elements += static_cast<int64_t>(values.size());
  const double allowed = twin_tolerance(request.work);
  const Spread spread = spread_of(values, reply->values);
  const double share = spread.difference / spread.deviation;
  outcome.worst = std::max(outcome.worst, share / allowed);
  if (share <= allowed) return {};
  say_wrong(outcome,
            fmt::format("logits are {:.2g} of their spread off those of {}, and {:.2g} is allowed; "
                        "logits[{}] is {:.9g} here and {:.9g} there",
                        share, outcome.against, allowed, mine[spread.worst], values[spread.worst],
                        reply->values[spread.worst]));
  return {};
}

}  // namespace ridge
