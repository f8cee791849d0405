#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace ridge {

// What may be wrong or remarkable about a row: a closed list (method.md tells how each is found).
enum class Flag {
  incorrect,
  above_peak,
  not_steady,
  drift,
  bimodal,
  outliers,
  autocorrelated,
  imprecise,
  few_samples,
  timer_limited,
  throttled_power,
  throttled_thermal,
  throttled_hw,
  clock_idle,
  cache_not_cold,
  contended,
  on_battery,
  low_power_mode,
  swapping,
  debug_build,
  fallback_timer,
  zero_fill,
};

struct FlagText {
  Flag flag;
  std::string_view name;
  std::string_view cause;   // what was seen
  std::string_view advice;  // what to do about it
};

std::span<const FlagText> flag_texts();
const FlagText& text_of(Flag flag);
std::optional<Flag> parse_flag(std::string_view name);

}  // namespace ridge
