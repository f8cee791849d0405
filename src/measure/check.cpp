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
    compare(spec, request.inputs.copy, elements,
            expected(work, request.inputs, spec.name, elements), reply->values, outcome);
  }
  return run_ns;
}

}  // namespace ridge
