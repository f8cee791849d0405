#include "measure/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

}  // namespace

Result<std::optional<double>> check_outputs(Client& client, const Workload& work,
                                            const CheckRequest& request, CheckOutcome& outcome) {
  std::optional<double> run_ns;
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
    if (run) run_ns = reply->run_ns;
    run = false;
    if (outcome.verdict == CheckOutcome::Verdict::not_run) {
      outcome.verdict = CheckOutcome::Verdict::passed;
    }
    const bool right_before = outcome.verdict == CheckOutcome::Verdict::passed;
    compare(spec, request.inputs.copy, elements,
            expected(work, request.inputs, spec.name, elements), reply->values, outcome);
    if (!right_before || outcome.verdict == CheckOutcome::Verdict::passed) continue;
    const auto lower = error_is_of(work, request.inputs, spec.name, elements, reply->values);
    if (lower) outcome.detail = fmt::format("{} ({})", switch_of(*lower), outcome.detail);
  }
  return run_ns;
}

}  // namespace ridge
