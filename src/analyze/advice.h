#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "analyze/roofline.h"

namespace ridge {

// Says what would make rows faster. What the rows at hand show (the same work packed, in another
// library; a narrower dtype's roof) comes with how much it gives here; the rest is general.
class Adviser {
 public:
  // Keeps both; rows are those that may serve as an alternative.
  Adviser(const Roofline& roofline, const std::vector<std::pair<const Run*, const Row*>>& rows);

  std::string advice(const Run& run, const Row& row, const Placement& placement) const;

 private:
  struct Other {
    const Run* run;
    const Row* row;
  };
  std::string faster_way(const Run& run, const Row& row, const std::string& device) const;
  std::string for_model(const Row& row, const Placement& placement, const std::string& device,
                        int threads) const;
  std::string narrower(const Row& row, const std::string& device, int threads) const;

  const Roofline& roofline_;
  std::unordered_map<std::string, std::vector<Other>> same_work_;  // by device and work_key
};

}  // namespace ridge
