#pragma once

#include <concepts>
#include <span>
#include <string_view>

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

}  // namespace ridge
