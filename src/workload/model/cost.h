#pragma once

#include "workload/model/use.h"
#include "workload/tensor.h"

namespace ridge {

// Cost of `tokens` new tokens of each of use.batch sequences, on top of use.depth, in one pass
// (prefill), and of generating them one by one (decode). `outputs`: of how many tokens of each
// sequence logits are computed.
//
// FLOPs (multiply-add 2): every matrix that a token passes, the logits where they are computed,
// attention's visible pairs summed exactly; a token of a mixture passes its chosen experts only.
// Bytes: weights touched once a pass (embedding rows gathered; of E experts, k chosen by each of B
// tokens, E·(1-(1-k/E)^B) are expected to be touched), keys and values read and written.
Cost prefill_cost(const ModelUse& use, int64_t tokens, int64_t outputs);
Cost decode_cost(const ModelUse& use, int64_t tokens);

}  // namespace ridge
