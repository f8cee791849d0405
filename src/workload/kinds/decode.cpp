#include "workload/kinds/decode.h"

#include <fmt/format.h>

#include "workload/model/cost.h"

namespace ridge {

Result<void> validate(const Decode& decode) {
  return validate(decode.use, decode.tokens, decode.kind);
}

std::string work_key(const Decode& decode) {
  std::string key = fmt::format("decode/{}/tg{}", use_key(decode.use), decode.tokens);
  if (decode.use.depth != 0) key += fmt::format("/d{}", decode.use.depth);
  return key;
}

std::string test_name(const Decode& decode) {
  std::string name = fmt::format("tg{}", decode.tokens);
  if (decode.use.depth != 0) name += fmt::format(" @ d{}", decode.use.depth);
  return name;
}

std::string operation(const Decode& decode) { return format_name(decode.use); }

Cost cost(const Decode& decode, const Settings& settings) {
  return decode_cost(decode.use, decode.tokens, micro_batch_of(settings));
}

std::vector<TensorSpec> tensors(const Decode& decode) {
  return {{"logits",
           TensorSpec::Role::output,
           DType::f32,
           {decode.use.batch, decode.use.model.vocab_size}}};
}

}  // namespace ridge
