#pragma once

#include <memory>

#include "made_file.h"
#include "model_op.h"

namespace ridge::llamacpp {

// From a model's file to the logits of a prompt. Before each sample the model of the last one is
// freed and the page cache made as the settings say, untimed.
class LoadModelOp : public sdk::Op {
 public:
  // Throws std::runtime_error where the file cannot be made or opened.
  LoadModelOp(const sdk::Task& task, Engine& engine, const Place& place, int threads, int cores);
  ~LoadModelOp() override;

  void fill(const InputSource& inputs) override;
  // Of logits that were not computed since fill(): NaN.
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override;
  void before(int64_t copy) override;
  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 private:
  sdk::Task task_;  // of the prompt
  CacheMode cache_;
  std::string path_, name_;
  std::unique_ptr<const MadeFile> made_;  // of synthetic weights
  int file_ = -1;                         // the user's otherwise
  int64_t bytes_ = 0;
  Engine& engine_;
  Place place_;
  int threads_;
  InputSource inputs_;
  std::unique_ptr<ModelOp> prompt_;  // of the model that was loaded last
};

}  // namespace ridge::llamacpp
