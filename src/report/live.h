#pragma once

#include <string>
#include <vector>

#include "analyze/live.h"

namespace ridge {

// What a live comparison is about, besides its rows.
struct LiveReport {
  struct Side {
    std::string label;                 // "worker=cpu,form=packed"
    std::vector<std::string> workers;  // "cpu (oneDNN 2.6.0)": what answered
    std::string file;                  // of its run
  };
  std::string id;
  Side a, b;
  int64_t rounds = 0;  // asked for
  bool interrupted = false;
  stats::SpeedRule rule;  // that the rows were judged by
  std::vector<LiveRow> rows;
};

// A line a row, and below the table what the words mean, who the sides are and what could not be
// compared.
std::string live_md(const LiveReport& report);
// As schema/compare-live.schema.json says.
std::string live_json(const LiveReport& report);

}  // namespace ridge
