#pragma once

#include <optional>
#include <string>

#include "workload/workload.h"

namespace ridge {

// Another work that must give the same logits: both read token_at() by position.
//   decode of n tokens at depth d   = prefill of the same d + n tokens, from nothing
//   prefill of n tokens at depth d  = decode of the last token at depth d + n - 1
//   a load and a prompt of n tokens = the same
// nullopt: the work is no model's.
std::optional<Workload> twin(const Workload& work);
// Where an element of the work's logits stands among its twin's; nullopt: the twin does not give
// it.
std::optional<int64_t> twin_element(const Workload& work, int64_t element);
// "prefill of 513 tokens", "decode of a token after 511".
std::string twin_in_words(const Workload& work);
// How far apart the logits of two honest ways may be: root mean square of the differences, over the
// logits' standard deviation. Follows from what weights and cache are stored in, the layers, and
// the context, where values are summed in f16. The work is a model's.
double twin_tolerance(const Workload& work);

}  // namespace ridge
