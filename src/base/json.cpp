#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace ridge {
namespace {

constexpr size_t kMaxDepth = 100;

// Builds our values from nlohmann's event parser, which neither recurses nor copies a tree.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(Json::Repeated repeated) : repeated_(repeated) {}

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    const auto most = static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max());
    return add(value <= most ? Json(value) : Json(static_cast<double>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override { return add(Json(value)); }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool key(string_t& value) override {
    keys_.back() = std::move(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error_ = fmt::format("not JSON at byte {}", position);
    return false;
  }

  Result<Json> take() {
    if (!error_.empty()) return Error{error_};
    return std::move(root_);
  }

 private:
  bool open(Json value) {
    if (stack_.size() >= kMaxDepth) {
      error_ = fmt::format("nested deeper than {} levels", kMaxDepth);
      return false;
    }
    stack_.push_back(std::move(value));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Json value = std::move(stack_.back());
    stack_.pop_back();
    keys_.pop_back();
    if (value.is_object() && !drop_repeated(value.as_object())) return false;
    return add(std::move(value));
  }
  bool drop_repeated(Json::Object& members) {
    names_.clear();
    for (const Json::Member& member : members) names_.push_back(member.first);
    std::sort(names_.begin(), names_.end());
    const auto twice = std::adjacent_find(names_.begin(), names_.end());
    if (twice == names_.end()) return true;
    if (repeated_ == Json::Repeated::refuse) {
      error_ = fmt::format("'{}' is given twice", *twice);
      return false;
    }
    Json::Object kept;
    std::set<std::string> names;
    for (Json::Member& member : members) {
      if (names.insert(member.first).second) kept.push_back(std::move(member));
    }
    members = std::move(kept);
    return true;
  }
  bool add(Json value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (stack_.back().is_array()) {
      stack_.back().as_array().push_back(std::move(value));
    } else {
      stack_.back().as_object().emplace_back(std::move(keys_.back()), std::move(value));
    }
    return true;
  }

  Json::Repeated repeated_;
  std::vector<Json> stack_;
  std::vector<std::string> keys_;
  std::vector<std::string_view> names_;  // of the object in hand; kept for its memory
  Json root_;
  std::string error_;
};

nlohmann::ordered_json to_library(const Json& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_int()) return value.as_int();
  if (value.is_number()) return value.as_double();
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    auto out = nlohmann::ordered_json::array();
    for (const Json& item : value.as_array()) out.push_back(to_library(item));
    return out;
  }
  if (value.is_object()) {
    auto out = nlohmann::ordered_json::object();
    // Straight into the vector: emplace() would search all members for each new one.
    auto& members = out.get_ref<nlohmann::ordered_json::object_t&>();
    for (const auto& [key, member] : value.as_object()) {
      members.emplace_back(key, to_library(member));
    }
    return out;
  }
  return nullptr;
}

}  // namespace

Json::Json(double value) {
  if (std::isfinite(value)) value_ = value;
}

Result<Json> Json::parse(std::string_view text, Repeated repeated) {
  Builder builder(repeated);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::string Json::dump(int indent) const {
  return to_library(*this).dump(indent, ' ', false,
                                nlohmann::ordered_json::error_handler_t::replace);
}

double Json::as_double() const {
  return is_int() ? static_cast<double>(as_int()) : std::get<double>(value_);
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, value] : as_object()) {
    if (name == key) return &value;
  }
  return nullptr;
}

Json& Json::set(std::string_view key, Json value) {
  if (is_null()) value_ = Object{};
  Object& members = as_object();
  const auto at = std::find_if(members.begin(), members.end(),
                               [&](const Member& member) { return member.first == key; });
  if (at != members.end()) {
    at->second = std::move(value);
  } else {
    members.emplace_back(std::string(key), std::move(value));
  }
  return *this;
}

void Json::push(Json value) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(value));
}

std::string_view type_name(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return "a boolean";
  if (value.is_int()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a string";
  return value.is_array() ? "an array" : "an object";
}

Fields::Fields(const Json& object, std::string where) : where_(std::move(where)) {
  if (object.is_object()) {
    object_ = &object;
  } else {
    error_ = Error{fmt::format("{}: expected an object, found {}", where_, type_name(object))};
  }
}

void Fields::fail(std::string_view key, const std::string& why) {
  if (!error_) error_ = Error{fmt::format("{}: '{}' {}", where_, key, why)};
}
void Fields::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

Result<void> Fields::done(Unknown unknown) const {
  if (error_) return *error_;
  if (unknown == Unknown::allow) return {};
  for (const auto& [name, value] : object_->as_object()) {
    if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) {
      return Error{fmt::format("{}: unknown member '{}' (known: {})", where_, name,
                               fmt::join(asked_, ", "))};
    }
  }
  return {};
}

#define RIDGE_EXPECT(condition, what) \
  if (!(condition)) return fail(key, fmt::format("must be {}, found {}", what, type_name(value)))

void Fields::read(std::string_view key, const Json& value, bool& out) {
  RIDGE_EXPECT(value.is_bool(), "a boolean");
  out = value.as_bool();
}

void Fields::read(std::string_view key, const Json& value, int64_t& out) {
  RIDGE_EXPECT(value.is_int(), "an integer");
  out = value.as_int();
}

void Fields::read(std::string_view key, const Json& value, int& out) {
  RIDGE_EXPECT(value.is_int() && std::in_range<int>(value.as_int()), "a 32-bit integer");
  out = static_cast<int>(value.as_int());
}

void Fields::read(std::string_view key, const Json& value, uint64_t& out) {
  RIDGE_EXPECT(value.is_int() && value.as_int() >= 0, "a non-negative integer");
  out = static_cast<uint64_t>(value.as_int());
}

void Fields::read(std::string_view key, const Json& value, double& out) {
  RIDGE_EXPECT(value.is_number(), "a number");
  out = value.as_double();
}

void Fields::read(std::string_view key, const Json& value, std::string& out) {
  RIDGE_EXPECT(value.is_string(), "a string");
  out = value.as_string();
}

void Fields::read(std::string_view, const Json& value, Json& out) { out = value; }

void Fields::read(std::string_view, const Json& value, const Json*& out) { out = &value; }

void Fields::read(std::string_view key, const Json& value, std::vector<double>& out) {
  RIDGE_EXPECT(value.is_array(), "an array of numbers");
  out.clear();
  for (const Json& item : value.as_array()) {
    // A NaN cannot be written in JSON; null in its place stays visible as NaN.
    if (!item.is_number() && !item.is_null()) return fail(key, "must hold only numbers");
    out.push_back(item.is_null() ? std::nan("") : item.as_double());
  }
}

void Fields::read(std::string_view key, const Json& value, std::vector<int64_t>& out) {
  RIDGE_EXPECT(value.is_array(), "an array of integers");
  out.clear();
  for (const Json& item : value.as_array()) {
    if (!item.is_int()) return fail(key, "must hold only integers");
    out.push_back(item.as_int());
  }
}

void Fields::read(std::string_view key, const Json& value, std::vector<std::string>& out) {
  RIDGE_EXPECT(value.is_array(), "an array of strings");
  out.clear();
  for (const Json& item : value.as_array()) {
    if (!item.is_string()) return fail(key, "must hold only strings");
    out.push_back(item.as_string());
  }
}

#undef RIDGE_EXPECT

}  // namespace ridge
