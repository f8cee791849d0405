#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace ridge {
namespace {

constexpr std::array<std::string_view, 6> kRateUnits = {"FLOP/s",   "B/s",    "token/s",
                                                        "access/s", "call/s", "none"};

struct Suffix {
  std::string_view text;
  double factor;
};

// Three significant digits, without an exponent.
std::string three_digits(double value) {
  const double size = std::fabs(value);
  return fmt::format("{:.{}f}", value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

std::string scaled(double value, std::span<const Suffix> steps) {
  const Suffix* best = &steps[0];
  for (const Suffix& step : steps) {
    if (std::fabs(value) >= step.factor * 0.9995) best = &step;
  }
  return three_digits(value / best->factor) + " " + std::string(best->text);
}

// "1.5GB" as number and suffix; the whole text must be used. std::from_chars knows no locale.
Result<double> with_suffix(std::string_view text, std::span<const Suffix> known,
                           std::string_view what, std::string_view example) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  std::string_view suffix(rest, static_cast<size_t>(end - rest));
  if (error == std::errc() && std::isfinite(number) && number >= 0) {
    while (suffix.starts_with(' ')) suffix.remove_prefix(1);
    for (const Suffix& s : known) {
      if (s.text == suffix) return number * s.factor;
    }
  }
  return Error{fmt::format("'{}' is not {} (write it like {})", text, what, example)};
}

}  // namespace

std::string_view name(RateUnit unit) { return kRateUnits.at(static_cast<size_t>(unit)); }

std::optional<RateUnit> parse_rate_unit(std::string_view text) {
  for (size_t i = 0; i < kRateUnits.size(); ++i) {
    if (kRateUnits[i] == text) return static_cast<RateUnit>(i);
  }
  return std::nullopt;
}

std::string show_rate(double value, RateUnit unit) {
  static constexpr std::array<Suffix, 5> flops = {
      {{"FLOPS", 1}, {"MFLOPS", 1e6}, {"GFLOPS", 1e9}, {"TFLOPS", 1e12}, {"PFLOPS", 1e15}}};
  static constexpr std::array<Suffix, 4> bytes = {
      {{"B/s", 1}, {"MB/s", 1e6}, {"GB/s", 1e9}, {"TB/s", 1e12}}};
  switch (unit) {
    case RateUnit::flop_per_s: return scaled(value, flops);
    case RateUnit::byte_per_s: return scaled(value, bytes);
    case RateUnit::token_per_s: return three_digits(value) + " tok/s";
    case RateUnit::access_per_s:
    case RateUnit::call_per_s:
    case RateUnit::none: break;
  }
  return show_time(1e9 / value);
}

std::string show_time(double ns) {
  static constexpr std::array<Suffix, 4> steps = {
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
  return scaled(ns, steps);
}

std::string show_bytes(int64_t bytes) {
  static constexpr std::array<Suffix, 5> steps = {
      {{"B", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}}};
  const auto value = static_cast<double>(bytes);
  const Suffix* best = &steps[0];
  for (const Suffix& step : steps) {
    if (std::fabs(value) >= step.factor) best = &step;
  }
  const double shown = value / best->factor;
  if (shown == std::floor(shown)) return fmt::format("{:.0f} {}", shown, best->text);
  return three_digits(shown) + " " + std::string(best->text);
}

std::string bytes_key(int64_t bytes) {
  constexpr int64_t KiB = 1024, MiB = KiB * 1024, GiB = MiB * 1024;
  if (bytes % GiB == 0) return fmt::format("{}GiB", bytes / GiB);
  if (bytes % MiB == 0) return fmt::format("{}MiB", bytes / MiB);
  if (bytes % KiB == 0) return fmt::format("{}KiB", bytes / KiB);
  return fmt::format("{}B", bytes);
}

std::string show_duration(double seconds) {
  if (!(seconds >= 0)) return "unknown";
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

Result<int64_t> parse_bytes(std::string_view text) {
  static constexpr std::array<Suffix, 10> known = {{{"", 1},
                                                    {"B", 1},
                                                    {"KiB", 0x1p10},
                                                    {"MiB", 0x1p20},
                                                    {"GiB", 0x1p30},
                                                    {"TiB", 0x1p40},
                                                    {"kB", 1e3},
                                                    {"MB", 1e6},
                                                    {"GB", 1e9},
                                                    {"TB", 1e12}}};
  auto bytes = with_suffix(text, known, "a size in bytes", "64MiB");
  if (!bytes) return bytes.error();
  if (*bytes > 0x1p60) return Error{fmt::format("'{}' is more than 1 EiB", text)};
  return static_cast<int64_t>(std::llround(*bytes));
}

Result<double> parse_duration(std::string_view text) {
  static constexpr std::array<Suffix, 5> known = {
      {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"min", 60}, {"h", 3600}}};
  auto seconds = with_suffix(text, known, "a duration", "90s or 2min");
  if (seconds && *seconds > 1e6) return Error{fmt::format("'{}' is longer than 11 days", text)};
  return seconds;
}

}  // namespace ridge
