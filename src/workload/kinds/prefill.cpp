#include "workload/kinds/prefill.h"

#include <fmt/format.h>

#include "workload/model/cost.h"

namespace ridge {

Result<void> validate(const Prefill& prefill) {
  return validate(prefill.use, prefill.tokens, prefill.kind);
}

std::string work_key(const Prefill& prefill) {
  std::string key = fmt::format("prefill/{}/pp{}", use_key(prefill.use), prefill.tokens);
  if (prefill.use.depth != 0) key += fmt::format("/d{}", prefill.use.depth);
  if (prefill.logits == Prefill::Logits::all) key += "/logits-all";
  return key;
}

std::string test_name(const Prefill& prefill) {
  std::string name = fmt::format("pp{}", prefill.tokens);
  if (prefill.use.depth != 0) name += fmt::format(" @ d{}", prefill.use.depth);
  return name;
}

std::string operation(const Prefill& prefill) { return format_name(prefill.use); }

Cost cost(const Prefill& prefill, const Settings& settings) {
  return prefill_cost(prefill.use, prefill.tokens,
                      prefill.logits == Prefill::Logits::all ? prefill.tokens : 1,
                      micro_batch_of(settings));
}

std::vector<TensorSpec> tensors(const Prefill& prefill) {
  using Role = TensorSpec::Role;
  const ModelUse& use = prefill.use;
  if (prefill.logits == Prefill::Logits::last) {
    return {{"logits", Role::output, DType::f32, {use.batch, use.model.vocab_size}}};
  }
  return {{"logits", Role::output, DType::f32, {use.batch, prefill.tokens, use.model.vocab_size}}};
}

}  // namespace ridge
