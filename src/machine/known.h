#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ridge {

// A fact about the machine, or nothing and the reason why it is not known. Never a guess.
template <class T>
struct Known {
  std::optional<T> value;
  std::string reason = "not looked for";  // read only where there is no value

  Known() = default;
  template <class U>
    requires(std::is_convertible_v<U, T> && (!std::is_same_v<T, bool> || std::is_same_v<U, bool>))
  Known(U known) : value(std::move(known)) {}
  static Known unknown(std::string_view why) {
    Known out;
    out.reason = why;
    return out;
  }

  explicit operator bool() const { return value.has_value(); }
  const T& operator*() const { return *value; }
  const T* operator->() const { return &*value; }
  bool operator==(const Known&) const = default;
};

}  // namespace ridge
