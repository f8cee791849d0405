#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ridge {

// What a rate counts. Rates are decimal (1 GB = 1e9 B); memory is stored in bytes, shown in GiB.
enum class RateUnit { flop_per_s, byte_per_s, token_per_s, access_per_s, call_per_s, none };
std::string_view name(RateUnit unit);  // "FLOP/s", "B/s", "token/s", "access/s", "call/s", "none"
std::optional<RateUnit> parse_rate_unit(std::string_view text);

// "1.31 TFLOPS", "25.3 GB/s", "191 tok/s"; 3 digits. Accesses and calls are known by what one
// takes: "4.12 ns".
std::string show_rate(double value, RateUnit unit);
std::string show_time(double ns);           // "512 ns", "1.24 ms", "3.10 s"
std::string show_bytes(int64_t bytes);      // "64 MiB", "23.4 GiB"; exact powers have no dot
std::string bytes_key(int64_t bytes);       // "64MiB", "1000B": exact, for keys
std::string show_duration(double seconds);  // "42 s", "3 min 05 s"; for people who wait

Result<int64_t> parse_bytes(std::string_view text);    // "65536", "64KiB", "64MiB", "1GiB", "1.5GB"
Result<double> parse_duration(std::string_view text);  // seconds, from "90", "90s", "2min", "1h"

}  // namespace ridge
