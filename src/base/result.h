#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace ridge {

// An expected failure: one line for a person, saying what, where and what to do.
struct Error {
  std::string message;
  bool unsupported = false;  // nothing is broken: what was asked for cannot be had here

  // The same error with the place it happened in put before it: "place: message".
  Error in(const std::string& place) const { return {place + ": " + message, unsupported}; }
};

// A value or an Error. Asking for what is not there is a broken invariant and throws.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  const T& value() const& { return checked(), std::get<0>(state_); }
  T& value() & { return checked(), std::get<0>(state_); }
  T&& value() && { return checked(), std::get<0>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  const Error& error() const { return std::get<1>(state_); }

 private:
  void checked() const {
    if (!ok()) throw std::logic_error("Result holds an error: " + error().message);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}
  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace ridge
