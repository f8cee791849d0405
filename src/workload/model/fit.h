#pragma once

#include <cstdint>

#include "workload/model/use.h"

namespace ridge {

// What a program holds in memory while it runs a model: bytes, as llama.cpp plans them with flash
// attention (docs/models.md has what it really held beside these).
struct Holding {
  int64_t weights = 0;
  // Of the weights, the embedding: llama.cpp gathers its rows on the host, so that a GPU does not
  // hold it, unless the output is the same matrix.
  int64_t gathered = 0;
  int64_t kv = 0;  // of all sequences at the full context
  // The working buffers, which share memory, so that it is no sum: the inputs stay (the embedded
  // tokens, and the mask of micro_batch rows and a column a token of the context, in f16); beside
  // them stand either the widest layer's activations or the logits of micro_batch tokens, f32.
  int64_t inputs = 0;
  int64_t activations = 0;
  int64_t logits = 0;
  int64_t working = 0;  // the most of them at a time
  int64_t outputs = 0;  // logits of one token a sequence, handed out

  int64_t total() const { return weights + kv + working + outputs; }
  int64_t on_gpu() const { return weights - gathered + kv + working; }
  bool operator==(const Holding&) const = default;
};

// `context` tokens of each of use.batch sequences; use.depth does not count. Contexts are rounded
// up to 256 tokens.
Holding holding(const ModelUse& use, int64_t context, int64_t micro_batch);

// The most tokens of context, up to the model's longest, at which it fits; 0: not even 256.
int64_t longest_context(const ModelUse& use, int64_t micro_batch, int64_t bytes, bool on_gpu);

}  // namespace ridge
