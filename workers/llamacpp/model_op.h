#pragma once

#include <vector>

#include "model.h"
#include "worker/sdk/worker.h"

namespace ridge::llamacpp {

// Prefill and decode through llama_decode, timed as llama-bench does it: a prompt in calls of 2048
// tokens and one wait at the end; tokens one by one with a wait after each. Before each sample the
// cache is brought back to its depth, untimed. One context; its model may be shared.
class ModelOp : public sdk::Op {
 public:
  // threads: of a CPU; on a GPU those that look after it. Throws std::runtime_error with what
  // llama.cpp says where it takes the settings not.
  ModelOp(const sdk::Task& task, Engine& engine, std::shared_ptr<const Model> model,
          const Place& place, int threads);

  void fill(const InputSource& inputs) override;
  // Of logits that were not computed since fill(): NaN.
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override;
  void before(int64_t copy) override;
  void run(int64_t copy) override;
  void wait() override;
  sdk::OpInfo info() const override;

 private:
  // Tokens that one call takes, and which rows of `logits` come out of it.
  struct Call {
    std::vector<llama_token> tokens;
    std::vector<llama_pos> positions;
    std::vector<llama_seq_id> sequences;
    std::vector<int8_t> outputs;
    struct Row {
      int64_t row;    // of the tensor
      int32_t index;  // of the token in the call
    };
    std::vector<Row> rows;
  };

  void start();  // the context
  std::vector<Call> calls_for(int64_t first, int64_t count, bool one_by_one, bool wanted) const;
  void add(Call& call, int64_t sequence, int64_t position, bool output) const;
  void decode(Call& call);
  void fill_cache();
  void make_ready();
  const float* logits_of(int64_t row) const;

  ModelUse use_;
  bool decodes_;  // one by one
  int64_t tokens_;
  bool all_logits_;
  Settings settings_;
  Engine& engine_;
  Place place_;
  int threads_;
  std::shared_ptr<const Model> model_;
  llama_context_ptr context_;
  InputSource inputs_;
  std::vector<Call> depth_, calls_;
  std::vector<std::vector<float>> saved_;  // rows of calls before the last
  std::vector<double> token_ns_;           // of decoding, since fill()
  bool ready_ = false, ran_ = false;
  std::string flash_;  // whether flash attention was used
};

}  // namespace ridge::llamacpp
