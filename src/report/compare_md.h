#pragma once

#include <string>

#include "analyze/compare.h"
#include "analyze/recommend.h"

namespace ridge {

// A line a pair, what it means, what was refused and why, means by bound, and which way is best for
// each job.
std::string comparison_markdown(const Comparison& comparison,
                                const std::vector<Recommendation>& recommended,
                                const SupportMatrix& support);

// The same as data: schema/comparison.schema.json.
Json comparison_json(const Comparison& comparison, const std::vector<Recommendation>& recommended,
                     const SupportMatrix& support);

}  // namespace ridge
