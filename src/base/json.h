#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace ridge {

// A JSON value of our own, so that one source file alone pays for the parser library.
// Objects keep the order of their members. A number is an integer where it was written as one.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  Json(T value) : value_(static_cast<int64_t>(value)) {}
  Json(double value);  // NaN and infinities become null: JSON has neither
  Json(const char* text) : value_(std::string(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(Array items) : value_(std::move(items)) {}
  Json(Object members) : value_(std::move(members)) {}
  template <class T>
  Json(const std::optional<T>& value) {
    if (value) *this = Json(*value);
  }

  static Json array() { return Json(Array{}); }
  static Json object() { return Json(Object{}); }

  // Parses one whole JSON text. Depth is limited to 100; the error names the byte it stopped at. Of
  // a name given twice the first counts, or it is an error.
  enum class Repeated { first, refuse };
  static Result<Json> parse(std::string_view text, Repeated repeated = Repeated::first);
  // Compact on one line, or indented. Text that is not UTF-8 gets U+FFFD in place of bad bytes.
  std::string dump(int indent = -1) const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  bool is_number() const { return is_int() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // These throw std::bad_variant_access on another type: look first, or use Fields.
  bool as_bool() const { return std::get<bool>(value_); }
  int64_t as_int() const { return std::get<int64_t>(value_); }
  double as_double() const;
  const std::string& as_string() const { return std::get<std::string>(value_); }
  const Array& as_array() const { return std::get<Array>(value_); }
  Array& as_array() { return std::get<Array>(value_); }
  const Object& as_object() const { return std::get<Object>(value_); }
  Object& as_object() { return std::get<Object>(value_); }

  // The member of that name, or nullptr (also when this is no object).
  const Json* find(std::string_view key) const;
  // Sets a member of an object, in place if it is there, at the end if not. Null becomes an object.
  Json& set(std::string_view key, Json value);
  void push(Json value);  // appends to an array; null becomes an array

  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

// "null", "a boolean", "a number", … for error messages.
std::string_view type_name(const Json& value);

// Reads the members of one object into variables and keeps the first error, with its place. Keys
// must live until done():
//   Fields f(json, "suites/quick.json: item 3");
//   f.required("m", m).optional("layout", layout);
//   if (auto r = f.done(); !r) return r.error();
class Fields {
 public:
  Fields(const Json& object, std::string where);
  Fields(Json&&, std::string) = delete;  // it would point at what is gone

  template <class T>
  Fields& required(std::string_view key, T& out) {
    return member(key, out, true);
  }
  template <class T>
  Fields& optional(std::string_view key, T& out) {
    return member(key, out, false);
  }
  void fail(std::string_view key, const std::string& why);
  void fail(Error error);  // of a nested object, which says its place itself

  // ok, or the first error. By default a member that nobody asked for is an error, which names the
  // members there are; readers of files that may be newer than this program pass allow_unknown.
  enum class Unknown { refuse, allow };
  Result<void> done(Unknown unknown = Unknown::refuse) const;
  const std::string& where() const { return where_; }

 private:
  template <class T>
  Fields& member(std::string_view key, T& out, bool required) {
    asked_.push_back(key);
    const Json* value = object_ ? object_->find(key) : nullptr;
    if (!value || value->is_null()) {
      if (required) fail(key, "is missing");
    } else {
      read(key, *value, out);
    }
    return *this;
  }
  void read(std::string_view key, const Json& value, bool& out);
  void read(std::string_view key, const Json& value, int& out);
  void read(std::string_view key, const Json& value, int64_t& out);
  void read(std::string_view key, const Json& value, uint64_t& out);
  void read(std::string_view key, const Json& value, double& out);
  void read(std::string_view key, const Json& value, std::string& out);
  void read(std::string_view key, const Json& value, Json& out);
  void read(std::string_view key, const Json& value, const Json*& out);  // into the object
  void read(std::string_view key, const Json& value, std::vector<double>& out);
  void read(std::string_view key, const Json& value, std::vector<int64_t>& out);
  void read(std::string_view key, const Json& value, std::vector<std::string>& out);
  template <class T>
  void read(std::string_view key, const Json& value, std::optional<T>& out) {
    T inner{};
    read(key, value, inner);
    out = std::move(inner);
  }

  const Json* object_ = nullptr;
  std::string where_;
  std::vector<std::string_view> asked_;
  std::optional<Error> error_;
};

}  // namespace ridge
