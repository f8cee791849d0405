#pragma once

#include <string>
#include <vector>

#include "store/run_file.h"

namespace ridge {

// A Markdown table whose columns also line up in a terminal. Cells may hold UTF-8; a pipe in a cell
// is escaped. `right` names the columns set flush right.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<bool> right = {});
  void add(std::vector<std::string> cells);
  std::string markdown() const;

 private:
  std::vector<std::vector<std::string>> lines_;
  std::vector<bool> right_;
};

// The rows of a run for a person: rate with interval, share of the best of its sort measured here,
// flags; below it, a word of advice for each flag that appears and a reason for each row that is
// not ok.
std::string rows_table(const std::vector<Row>& rows);

// For each row the share of the best rate among the rows of its sort (kind, dtype or op, cache
// mode, threads): 1 for the best. nullopt without a rate.
std::vector<std::optional<double>> share_of_best(const std::vector<Row>& rows);

}  // namespace ridge
