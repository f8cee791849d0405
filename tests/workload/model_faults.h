#pragma once

#include <memory>
#include <string>
#include <vector>

#include "workload/model/forward.h"
#include "workload/model/tokens.h"
#include "workload/model/weight_rows.h"

// Logits of a model as a program with a planted fault computes them.
namespace model_test {

// Of the last layer two query heads exchanged, or each expert the next one; the last layer left
// out; the last token turned as if it stood one further; tokens that see the next one; the keys and
// values of one token lost.
enum class Fault { none, head, expert, layer, rope, mask, lost };
inline constexpr const char* kFaults[] = {"none", "head", "layer", "expert",
                                          "rope", "mask", "lost"};

// Weights of which the first `all` rows of a tensor stand `rows` further up.
class Mixed : public ridge::ModelWeights {
 public:
  Mixed(const ridge::ModelWeights& weights, std::string_view tensor, int64_t rows, int64_t all)
      : weights_(weights), tensor_(weights.find(tensor)), rows_(rows), all_(all) {}
  std::optional<size_t> find(std::string_view tensor) const override {
    return weights_.find(tensor);
  }
  ridge::BlockFormat format(size_t tensor) const override { return weights_.format(tensor); }
  void row(size_t tensor, int64_t row, std::span<double> out) const override {
    if (tensor == tensor_ && row < all_) row = (row + rows_) % all_;
    weights_.row(tensor, row, out);
  }

 private:
  const ridge::ModelWeights& weights_;
  std::optional<size_t> tensor_;
  int64_t rows_, all_;
};

// Logits after the last of the first `length` tokens of a sequence, the last one of which is a pass
// of its own. Options as an honest program of that kind would have them.
inline std::vector<double> logits(const ridge::ModelUse& use, const ridge::ModelWeights& weights,
                                  const ridge::InputSource& inputs, int64_t sequence,
                                  int64_t length, Fault fault, ridge::Forward::Options options) {
  using namespace ridge;
  ModelConfig model = use.model;
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < length; ++i) tokens.push_back(token_at(model, inputs, sequence, i));
  const int64_t last = model.num_hidden_layers - 1;
  const std::string at = "blk." + std::to_string(last) + ".";
  const Mixed heads(weights, at + "attn_q.weight", model.head_dim, 2 * model.head_dim);
  const Mixed experts(weights, at + "ffn_down_exps.weight", model.hidden_size,
                      model.hidden_size * model.num_experts.value_or(1));
  if (fault == Fault::layer) model.num_hidden_layers -= 1;
  if (fault == Fault::mask) options.look_ahead = 1;
  Forward forward(model,
                  fault == Fault::head     ? heads
                  : fault == Fault::expert ? static_cast<const ModelWeights&>(experts)
                                           : weights,
                  options);
  const std::span<const int32_t> all(tokens);
  const auto before = static_cast<size_t>(length - 1), middle = before / 2;
  if (fault == Fault::lost) {  // keys and values of one position
    forward.run(all.first(middle), {});
    forward.seek(static_cast<int64_t>(middle) + 1);
    forward.run(all.subspan(middle + 1, before - middle - 1), {});
  } else {
    forward.run(all.first(before), {});
  }
  if (fault == Fault::rope) forward.seek(length);  // one too far
  const int64_t first = 0;
  return forward.run(all.last(1), {&first, 1}).at(0);
}

}  // namespace model_test
