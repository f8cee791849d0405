#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/run_file.h"

namespace ridge {

enum class Format { md, csv, json, jsonl };
std::optional<Format> parse_format(std::string_view text);
inline constexpr std::string_view kFormats = "md, csv, json, jsonl";

// A run in one of the formats. jsonl: one row a line, as the run file holds it.
std::string render(const Run& run, Format format);

// One field of a CSV file, quoted where it must be (RFC 4180).
std::string csv_field(const std::string& text);

}  // namespace ridge
