#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stats/cliffs.h"
#include "stats/line.h"
#include "store/row.h"

// What only rows together tell: rows of one worker, device and setting that differ in one number.
namespace ridge {

// `dispatch` over the number of calls: t = a + b·k, in ns.
struct CallCost {
  std::string worker, device, settings;  // settings: as in a row_key
  std::vector<double> calls;             // k of each row, rising
  stats::Line line;
};
// One for each group of dispatch rows that has at least two.
std::vector<CallCost> call_costs(const std::vector<Row>& rows);

// `workingset` over its size: ns an access (chase) or ns a byte (read).
struct CacheCurve {
  std::string worker, device, settings;
  WorkingSet::Op op = WorkingSet::Op::chase;
  std::vector<double> bytes;            // of each row, rising
  std::vector<double> ns;               // per access or byte
  std::optional<stats::Cliffs> cliffs;  // none: too few sizes
};
// A row whose times are not all positive and finite is left out.
std::vector<CacheCurve> cache_curves(const std::vector<Row>& rows);

}  // namespace ridge
