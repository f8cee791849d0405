#include "store/flags.h"

#include <array>
#include <stdexcept>

namespace ridge {
namespace {

constexpr std::array<FlagText, 22> kFlags = {{
    {Flag::incorrect, "incorrect", "the answer differs from the float64 reference",
     "do not use this number; report it to the library with the kernel's name"},
    {Flag::above_peak, "above_peak", "faster than the hardware can be",
     "the work was not done, or another precision ran: look at the kernel"},
    {Flag::not_steady, "not_steady", "times still changed when the warm-up's limit was reached",
     "give it more time: --rigorous or a larger --budget"},
    {Flag::drift, "drift", "times moved in one direction during the run",
     "let the machine cool or finish its other work, then run again"},
    {Flag::bimodal, "bimodal", "two distinct speeds; the median lies in one of them",
     "look for a second power state, another process or a core that migrates"},
    {Flag::outliers, "outliers", "more than 5 % of the samples lie far outside the rest",
     "another process interferes; the median stands, the mean would not"},
    {Flag::autocorrelated, "autocorrelated",
     "consecutive samples resemble each other too much for an interval",
     "take more samples: --rigorous"},
    {Flag::imprecise, "imprecise", "the interval is wider than the target",
     "more rounds: --rounds, --rigorous, or a larger --budget"},
    {Flag::few_samples, "few_samples", "too few samples or rounds for an interval",
     "more rounds: --rounds 3 or more, or a larger --budget"},
    {Flag::timer_limited, "timer_limited", "a sample is not much longer than the clock's own cost",
     "use the pipelined row for the speed of this work"},
    {Flag::throttled_power, "throttled_power", "the device lowered its clock at its power limit",
     "that is its sustained speed; raise the limit if you may"},
    {Flag::throttled_thermal, "throttled_thermal", "the device lowered its clock because of heat",
     "improve the cooling, or read it as the sustained speed"},
    {Flag::throttled_hw, "throttled_hw", "the hardware's own protection lowered the clock",
     "check the power supply and the cables"},
    {Flag::clock_idle, "clock_idle", "the clock was still at idle speed",
     "give it more time to wake up: --rigorous"},
    {Flag::cache_not_cold, "cache_not_cold",
     "too few copies were touched to keep the operands out of the cache, or its size is unknown",
     "free memory for the rotation, or read it as a warm number"},
    {Flag::contended, "contended",
     "other processes, another ridge, or other guests of the host shared the machine meanwhile",
     "stop them and run again"},
    {Flag::on_battery, "on_battery", "the machine ran on its battery", "plug it in"},
    {Flag::low_power_mode, "low_power_mode", "the machine saves power by setting",
     "switch the power saving off"},
    {Flag::swapping, "swapping", "memory was swapped during the measurement",
     "free memory, or choose smaller work"},
    {Flag::debug_build, "debug_build", "ridge or the worker was built without optimization",
     "build the release preset"},
    {Flag::fallback_timer, "fallback_timer", "the device's own clock could not be used",
     "times include the submission"},
    {Flag::zero_fill, "zero_fill", "inputs were zeros, which run faster than real data",
     "use random inputs"},
}};

}  // namespace

std::span<const FlagText> flag_texts() { return kFlags; }

const FlagText& text_of(Flag flag) {
  for (const FlagText& text : kFlags) {
    if (text.flag == flag) return text;
  }
  throw std::logic_error("no such flag");
}

std::optional<Flag> parse_flag(std::string_view name) {
  for (const FlagText& text : kFlags) {
    if (text.name == name) return text.flag;
  }
  return std::nullopt;
}

}  // namespace ridge
