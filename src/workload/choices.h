#pragma once

#include <concepts>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ridge {

// The names of an enumeration's values, in their order, as they stand in JSON. A kind of work
// declares `Choices choices(ItsEnum)` beside the enumeration.
struct Choices {
  std::span<const std::string_view> names;
  bool required = true;  // else the field may be left out, and has its default
};

template <class E>
concept Choice = requires(E value) {
  { choices(value) } -> std::same_as<Choices>;
};

template <Choice E>
std::string_view name(E value) {
  return choices(value).names[static_cast<size_t>(value)];
}

template <Choice E>
std::optional<E> parse_choice(std::string_view text) {
  const auto names = choices(E{}).names;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<E>(i);
  }
  return std::nullopt;
}

template <Choice E>
std::vector<E> every_choice() {
  std::vector<E> out;
  for (size_t i = 0; i < choices(E{}).names.size(); ++i) out.push_back(static_cast<E>(i));
  return out;
}

}  // namespace ridge
