#pragma once

#include <string>
#include <vector>

#include "analyze/roofline.h"
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

// The rows of a run for a person: rate with interval, what limits it and how near that is, flags;
// below it, a word of advice for each flag that appears and a reason for each row that is not ok.
std::string rows_table(const Run& run);

// A line for each of the reasons ("cpu: no whole models"), with how many rows it stands for.
std::string not_supported(const std::vector<std::string>& reasons);

// "compute 97 %", "memory read 88 %", "none (54 %)", "L2 read, the roof"; "–" without a place.
std::string limit_text(const Placement& placement);

}  // namespace ridge
