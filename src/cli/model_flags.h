#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "workload/suite.h"

namespace CLI {
class App;
}

// Whole models, asked for with llama-bench's flags.
namespace ridge::cli {

// As typed. All are lists, by commas or by repeating the flag; numbers may be ranges.
struct ModelFlags {
  using Texts = std::vector<std::string>;
  Texts models;                        // names, files, folders
  Texts weights;                       // formats of synthetic ones
  Texts prompt, generate, both;        // -p, -n, -pg
  Texts depth, sequences;              // -d, --parallel
  Texts logical_batch, micro_batch;    // -b, -ub
  Texts threads, keys, values, flash;  // -t, -ctk, -ctv, -fa
  Texts load;                          // --load: page cache cold, hot

  // The first flag that was given, to speak of; empty: none was.
  std::string given() const;
};

void add_model_flags(CLI::App* command, ModelFlags& flags);

// llama-bench's flags of one dash and several letters ("-pg", "-ub") as the parser knows them
// ("--pg", "--ubatch-size").
std::vector<std::string> with_long_names(std::vector<std::string> argv);

// What to do instead of a flag of llama-bench's that is not taken here; empty: none is there.
std::string not_taken(const std::vector<std::string>& argv);

// Numbers as llama-bench reads them: "512", "1,2,4", "1-4", "0-4096+1024", "1-64*2". `where` is the
// flag. At most 1000 numbers, each at most 2^24.
Result<std::vector<int64_t>> parse_numbers(const std::vector<std::string>& texts,
                                           const std::string& where);

// Rows of prefill and decode for every combination, in llama-bench's order. A test of 0 tokens is
// left out. `-pg P,G` are the two parts of it: a prompt of P, and G tokens at that depth. Loads, of
// each model and number of threads, come last.
Result<Suite> suite_of_models(const ModelFlags& flags, const ModelLookup& models);

}  // namespace ridge::cli
