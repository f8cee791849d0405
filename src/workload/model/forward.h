#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "workload/ggml_blocks.h"
#include "workload/model/config.h"
#include "workload/model/format.h"

namespace ridge {

// The weights of a model, row by row, under the names of GGUF ("blk.0.attn_q.weight"). A tensor
// [experts, n, k] has experts·n rows.
class ModelWeights {
 public:
  virtual ~ModelWeights() = default;
  virtual std::optional<size_t> find(std::string_view tensor) const = 0;  // none: not there
  virtual BlockFormat format(size_t tensor) const = 0;
  virtual void row(size_t tensor, int64_t row, std::span<double> out) const = 0;
};

// The mathematics of a model in float64, as slow as it is plain: what llama.cpp computes for the
// architectures llama, qwen3 and deepseek (src/models/*.cpp there), with ModelConfig's sliding
// window for all of them. One sequence, whose keys and values are kept: tokens that come in several
// calls give the same as all at once.
//
// RoPE turns pair i of a head by position·theta^(-2i/head_dim). Pairs are elements (2i, 2i + 1), as
// in llama.cpp's NORM, whose converter interleaves the rows of q and k for that; of qwen3 (i, i +
// head_dim/2), NEOX.
class Forward {
 public:
  struct Options {
    // Not in float64, but as an honest program does with such weights and such a cache: products in
    // f32, on activations rounded to what ggml takes beside the weights' format (f16, bf16, blocks
    // of 8 bits); keys, values, queries and probabilities rounded to the cache's.
    std::optional<KvFormat> rounded = {};
    // The router of that layer, at that position, takes the expert next in line in place of its
    // last.
    struct Place {
      int64_t layer = 0, position = 0;
      bool operator==(const Place&) const = default;
    };
    std::optional<Place> other_expert = {};
    int64_t look_ahead = 0;  // positions after its own that a token sees: tests plant this fault
  };
  // By how much a router's last choice stands above the next, and the spread of its logits; and all
  // of them.
  struct Choice {
    Options::Place place;
    double margin = 0;
    std::vector<double> logits;
  };

  // Throws std::invalid_argument where a tensor is missing.
  Forward(const ModelConfig& model, const ModelWeights& weights, Options options);
  Forward(const ModelConfig& model, const ModelWeights& weights)
      : Forward(model, weights, Options()) {}

  // Logits after each of `outputs`, places in `tokens`.
  std::vector<std::vector<double>> run(std::span<const int32_t> tokens,
                                       std::span<const int64_t> outputs);
  // The next token stands there: tests leave positions out.
  void seek(int64_t position) { position_ = position; }
  const std::vector<Choice>& choices() const { return choices_; }  // of routers, so far

 private:
  struct Matrix {  // rows of tokens
    size_t width = 0;
    std::vector<double> values;
    Matrix(size_t rows, size_t columns) : width(columns), values(rows * columns) {}
    size_t rows() const { return width == 0 ? 0 : values.size() / width; }
    std::span<double> operator[](size_t row) { return {values.data() + row * width, width}; }
    std::span<const double> operator[](size_t row) const {
      return {values.data() + row * width, width};
    }
  };
  struct Layer {
    size_t attn_norm, q, k, v, output, ffn_norm;
    std::optional<size_t> q_norm, k_norm;
    size_t gate, up, down;  // dense, or all experts
    std::optional<size_t> router;
    std::optional<size_t> shared_gate, shared_up, shared_down;
  };
  struct Cache {
    std::vector<double> keys, values;  // [position][kv_width]
  };

  size_t need(std::string_view tensor) const;
  Matrix multiply(size_t tensor, int64_t first, int64_t rows, const Matrix& x) const;
  Matrix norm(size_t tensor, const Matrix& x, size_t width) const;
  void rope(Matrix& x, const std::vector<int64_t>& positions) const;
  Matrix attention(const Layer& layer, Cache& cache, const Matrix& x,
                   const std::vector<int64_t>& positions) const;
  Matrix swiglu(size_t gate, size_t up, size_t down, int64_t expert, int64_t width,
                const Matrix& x) const;
  Matrix mixture(const Layer& layer, int64_t number, const Matrix& x,
                 const std::vector<int64_t>& positions);

  ModelConfig m_;
  const ModelWeights& weights_;
  Options options_;
  std::vector<Layer> layers_;
  size_t embedding_ = 0, last_norm_ = 0, logits_ = 0;
  std::vector<Cache> caches_;
  std::vector<int64_t> held_;  // positions in the caches
  int64_t position_ = 0;
  std::vector<Choice> choices_;
};

// Multiply-adds of one pass over so many tokens, the making of the weights included as if each were
// one.
double forward_products(const ModelConfig& model, int64_t tokens, int64_t outputs);

}  // namespace ridge
