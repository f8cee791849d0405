#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workload/ggml_blocks.h"
#include "workload/model/config.h"
#include "workload/model/format.h"
#include "workload/tensor.h"

namespace ridge {

// One tensor of a model's weights, named as in GGUF files.
struct WeightTensor {
  // embedding: gathered by rows (and the output matrix, where both are tied); expert: the routed
  // experts of a layer, [experts, n, k]; matrix: all else that a token is multiplied with, shared
  // experts and routers included.
  enum class Role { embedding, output, norm, matrix, expert };

  std::string name;
  Role role = Role::matrix;
  std::vector<int64_t> shape;  // the slowest first: [n, k] of a matrix, whose rows lie along k
  BlockFormat format = BlockFormat::f32;
  int64_t layer = -1;   // -1: of none
  bool caches = false;  // needed for every token's keys and values, whatever becomes of it after

  int64_t elements() const;
  int64_t row() const { return shape.back(); }
  int64_t bytes() const { return bytes_of(format, elements()); }
  bool operator==(const WeightTensor&) const = default;
};

// The weights in the order of the layers, in the storage types that llama.cpp's quantiser gives
// them for the mixture of that name, without an importance matrix (src/llama-quant.cpp of the
// release that scripts/frameworks gets): Q6_K for the output but in q8_0, more bits for attn_v and
// ffn_down of some layers in q4_k_m, and for the attention of models of 8 experts; norms and
// routers f32; where a row is no multiple of 256, q4_k becomes q5_0, q5_k q5_1 and q6_k q8_0.
std::vector<WeightTensor> weights(const ModelConfig& model, ModelFormat format);

// Whether a model's rows can be stored in a format; llama.cpp's quantiser ends with an error, too.
Result<void> storable(const ModelConfig& model, ModelFormat format);

struct Parameters {
  int64_t all = 0;
  int64_t active = 0;  // all but the experts that a token is not sent to
  int64_t embedding = 0;
  bool operator==(const Parameters&) const = default;
};
Parameters parameters(const ModelConfig& model);

struct WeightBytes {
  int64_t matrix = 0;     // norms and output included
  int64_t embedding = 0;  // 0 where the output uses the same matrix, which then counts there
  int64_t expert = 0;     // of all routed experts of all layers
  int64_t all() const { return matrix + embedding + expert; }
  bool operator==(const WeightBytes&) const = default;
};
WeightBytes weight_bytes(const ModelConfig& model, ModelFormat format);

// Of keys and values of one token, all layers.
int64_t kv_bytes_per_token(const ModelConfig& model, KvFormat kv);
BlockFormat block_format(KvFormat kv);

// Random weights: elements of a matrix have mean 0 and variance 1/k, k the length of its rows, so
// that what passes through a deep stack neither grows nor dies; those of a norm are 1 + r in f32, r
// uniform in [-kNormNoise, kNormNoise). A layer's experts are one tensor. Bytes follow from
// (inputs.seed, tensor's name) alone (weight_key of tokens.h, fill_blocks of ggml_blocks.h).
inline constexpr double kNormNoise = 0.25;
double weight_scale(const WeightTensor& tensor);  // of fill_blocks
// Writes blocks [first, first + count) of the tensor.
void fill_weight(const WeightTensor& tensor, const InputSource& inputs, int64_t first,
                 int64_t count, void* out);

}  // namespace ridge
