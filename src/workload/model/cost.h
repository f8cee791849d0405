#pragma once

#include "workload/model/use.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

inline constexpr int64_t kMicroBatch = 512;  // tokens, where Settings name none: as llama.cpp
inline int64_t micro_batch_of(const Settings& settings) {
  return settings.micro_batch > 0 ? settings.micro_batch : kMicroBatch;
}

// Cost of `tokens` new tokens of each of use.batch sequences on top of use.depth: as a prompt,
// micro_batch tokens at a time (prefill), and generated one by one (decode). `outputs` is of how
// many last tokens of each sequence logits are computed.
//
// FLOPs (a multiply-add is 2): every matrix that a token passes, the logits where they are
// computed, attention's visible (query, key) pairs; of a mixture the chosen experts only. A token
// whose logits nobody asks for needs but keys and values of the last layer (model_flops); its
// attention there is computed all the same, as llama.cpp does (executed_flops).
//
// Bytes, the least: weights once a pass, of the last layer and the output only in passes with
// logits; of E experts, k chosen by each of n tokens at random, E·(1-(1-k/E)^n); embedding rows
// once; keys and values within the window that stood in the cache before the pass, and new ones
// written; logits written.
Cost prefill_cost(const ModelUse& use, int64_t tokens, int64_t outputs, int64_t micro_batch);
Cost decode_cost(const ModelUse& use, int64_t tokens, int64_t micro_batch);

}  // namespace ridge
