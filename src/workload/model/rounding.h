#pragma once

#include <span>

#include "workload/ggml_blocks.h"
#include "workload/model/format.h"

namespace ridge {

// What a program that computes with ggml's formats does to the numbers in between.

// Activations, a row of them, that are multiplied with weights of that format, and those weights:
// beside f16 and bf16 to the same; blocks of 32 weights take blocks of 8 bits (q8_0, q8_1), of 256
// weights those of 256 (q8_k) where the row allows; beside f32 both to TF32, as its CUDA back end
// does.
void round_beside(BlockFormat weights, std::span<double> row);
void round_weights(BlockFormat weights, std::span<double> row);
// Their product, summed in f32; of f16 in f16 after each 16 terms, as tensor cores do for it.
double rounded_product(BlockFormat weights, std::span<const float> a, std::span<const float> b);
// Queries, keys and values of a head. An f32 cache is turned to f16 by flash attention.
void round_to(KvFormat format, std::span<double> head);
// Probabilities, and each partial sum of values: flash attention adds values of f16 up in f16.
void round_sum(KvFormat format, std::span<double> row);

}  // namespace ridge
