#pragma once

#include <string>

#include "analyze/explain.h"

namespace ridge {

inline constexpr std::string_view kExplanationSchemaName = "ridgepoint-explanation";
inline constexpr std::string_view kExplanationSchemaVersion = "1.0.0";

// The machine (roofs beside what is published, ridge points, caches), then a line a row: which
// limit, how near, what next, what would help.
std::string explain_markdown(const Explanation& explanation);

// The same as data (schema/explanation.schema.json). Times in ns, rates as in rows.
Json explain_json(const Explanation& explanation);

}  // namespace ridge
