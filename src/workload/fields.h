#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/dtype.h"
#include "base/json.h"
#include "workload/choices.h"

// How the fields of a kind stand in JSON: a type's one list, `T::fields(self, visit)`, is all that
// writing, reading and help need. Numbers and choices must be there, unless a choice says that its
// default will do; what is std::optional, a bool or a struct of fields may be left out.

namespace ridge {

template <class T>
concept HasFields =
    requires(T& value) { T::fields(value, [](std::string_view, auto&, std::string_view) {}); };

inline Json field_json(int64_t value) { return value; }
inline Json field_json(bool value) { return value; }
inline Json field_json(double value) { return value; }
inline Json field_json(const std::string& value) { return value; }
inline Json field_json(DType value) { return name(value); }
template <Choice E>
Json field_json(E value) {
  return name(value);
}
template <HasFields T>
Json field_json(const T& value);
template <class T>
Json field_json(const std::optional<T>& value) {
  return value ? field_json(*value) : Json();
}

// Members that are null are left out.
template <HasFields T>
void write_fields(const T& value, Json& json) {
  T::fields(value, [&](std::string_view key, const auto& field, std::string_view) {
    if (Json member = field_json(field); !member.is_null()) json.set(key, std::move(member));
  });
}
template <HasFields T>
Json field_json(const T& value) {
  Json json = Json::object();
  write_fields(value, json);
  return json;
}

template <HasFields T>
void read_fields(Fields& f, T& value);

inline void read_field(Fields& f, std::string_view key, int64_t& out) { f.required(key, out); }
inline void read_field(Fields& f, std::string_view key, double& out) { f.required(key, out); }
inline void read_field(Fields& f, std::string_view key, std::string& out) { f.required(key, out); }
inline void read_field(Fields& f, std::string_view key, bool& out) { f.optional(key, out); }
inline void read_field(Fields& f, std::string_view key, std::optional<int64_t>& out) {
  f.optional(key, out);
}
inline void read_dtype(Fields& f, std::string_view key, bool required, std::optional<DType>& out) {
  std::string text;
  required ? f.required(key, text) : f.optional(key, text);
  if (text.empty()) return;
  out = parse_dtype(text);
  if (!out) f.fail(key, fmt::format("is '{}' (known: {})", text, dtype_names()));
}
inline void read_field(Fields& f, std::string_view key, DType& out) {
  std::optional<DType> found;
  read_dtype(f, key, true, found);
  out = found.value_or(out);
}
inline void read_field(Fields& f, std::string_view key, std::optional<DType>& out) {
  read_dtype(f, key, false, out);
}
template <Choice E>
void read_field(Fields& f, std::string_view key, std::optional<E>& out) {
  const Choices known = choices(E{});
  std::string text;
  known.required ? f.required(key, text) : f.optional(key, text);
  if (text.empty()) return;
  out = parse_choice<E>(text);
  if (!out) f.fail(key, fmt::format("is '{}' (known: {})", text, fmt::join(known.names, ", ")));
}
template <Choice E>
void read_field(Fields& f, std::string_view key, E& out) {
  std::optional<E> found;
  read_field(f, key, found);
  out = found.value_or(out);
}
template <HasFields T>
void read_nested(Fields& f, std::string_view key, const Json& json, T& out) {
  Fields inner(json, f.where() + ": " + std::string(key));
  read_fields(inner, out);
  if (auto done = inner.done(); !done) f.fail(done.error());
}
template <HasFields T>
void read_field(Fields& f, std::string_view key, T& out) {
  Json json;
  f.required(key, json);
  if (!json.is_null()) read_nested(f, key, json, out);
}
template <HasFields T>
void read_field(Fields& f, std::string_view key, std::optional<T>& out) {
  Json json;
  f.optional(key, json);
  if (json.is_null()) return;
  out.emplace();
  read_nested(f, key, json, *out);
}

template <HasFields T>
void read_fields(Fields& f, T& value) {
  T::fields(value, [&](std::string_view key, auto& field, std::string_view) {
    read_field(f, key, field);
  });
}

}  // namespace ridge
