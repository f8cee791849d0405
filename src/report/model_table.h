#pragma once

#include <string>
#include <vector>

#include "store/run_file.h"

namespace ridge {

// Rows of whole models in the columns of llama-bench: model, size of its weights, parameters,
// backend, threads, test (pp512, tg128 @ d4096), t/s; beside them the interval, the time to the
// first token (TTFT) of a prefill and the time per output token (TPOT) of a decode, joules a token
// where they are known, and the limit. What no row differs in from the default has no column.
class ModelTable {
 public:
  explicit ModelTable(const Run& run) : run_(run) {}
  void add(const Row& row, std::string limit, std::string flags);  // ok, failed or incorrect
  bool empty() const { return lines_.empty(); }
  std::string markdown() const;

 private:
  struct Line {
    const Row* row;
    std::string limit, flags;
  };
  const Run& run_;
  std::vector<Line> lines_;
};

// "qwen3-0.6b q8_0"
std::string model_of(const Row& row);
// Joules of a token of a sequence; nullopt where the machine does not tell.
std::optional<double> joules_per_token(const Row& row);
// Nanoseconds from one token of a sequence to its next, of a decode.
std::optional<double> time_per_token_ns(const Row& row);

}  // namespace ridge
