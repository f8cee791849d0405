#pragma once

#include <span>

#include "workload/ggml_blocks.h"
#include "workload/model/format.h"

namespace ridge {

// What a program that computes with ggml's formats does to the numbers in between.

// Activations, a row of them, that are multiplied with weights of that format: f16 and bf16 to the
// same; blocks of 32 weights take blocks of 8 bits (q8_0, q8_1), of 256 weights those of 256
// (q8_k) where the row allows; else f32.
void round_beside(BlockFormat weights, std::span<double> row);
// Queries, keys and values of a head.
void round_to(KvFormat format, std::span<double> head);
// Probabilities, and what they sum up: not in blocks, and no finer than f16.
void round_probabilities(KvFormat format, std::span<double> row);

}  // namespace ridge
