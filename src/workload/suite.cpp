#include "workload/suite.h"

#include <fmt/format.h>

#include <set>

#include "workload/fields.h"

namespace ridge {
namespace {

constexpr size_t kMostItems = 100'000;

// Every combination of the axes of one object.
Result<std::vector<Json>> expand(const Json& item, const std::string& where) {
  if (!item.is_object()) {
    return Error{fmt::format("{}: expected an object, found {}", where, type_name(item))};
  }
  std::vector<Json> out = {Json::object()};
  for (const auto& [key, value] : item.as_object()) {
    const Json::Array single = {value};
    const Json::Array& choices = value.is_array() ? value.as_array() : single;
    if (choices.empty()) return Error{fmt::format("{}: '{}' is an empty axis", where, key)};
    if (out.size() * choices.size() > kMostItems) {
      return Error{fmt::format("{}: more than {} combinations", where, kMostItems)};
    }
    std::vector<Json> next;
    next.reserve(out.size() * choices.size());
    for (const Json& base : out) {
      for (const Json& choice : choices) {
        Json combined = base;
        if (value.is_array() && choice.is_object()) {
          for (const auto& [field, chosen] : choice.as_object()) combined.set(field, chosen);
        } else {
          combined.set(key, choice);
        }
        next.push_back(std::move(combined));
      }
    }
    out = std::move(next);
  }
  return out;
}

// Puts what a model's name stands for in its place.
Result<void> look_up_model(const ModelLookup& models, const std::string& where, Json& work) {
  const Json* named = work.find("model");
  if (!named || !named->is_string()) return {};
  if (!models) return Error{fmt::format("{}: models are not known by name here", where)};
  const std::string text = named->as_string();
  auto found = models(text);
  if (!found) return found.error().in(where);
  work.set("model", to_json(found->model));
  if (!found->file) return {};
  if (work.find("format")) {
    return Error{fmt::format("{}: {} brings its own weights: leave 'format' out", where, text)};
  }
  work.set("format", name(found->format)).set("file", field_json(*found->file));
  return {};
}

Result<void> add_item(const Json& item, const std::string& where, const ModelLookup& models,
                      Suite& suite) {
  Json work_axes = item, settings_axes = Json::object();
  int rounds = SuiteItem::kAllRounds;
  if (item.is_object()) {
    Fields own(item, where);
    own.optional("settings", settings_axes).optional("rounds", rounds);
    if (rounds < 1 || rounds > SuiteItem::kAllRounds) own.fail("rounds", "must lie in 1 to 1000");
    if (auto done = own.done(Fields::Unknown::allow); !done) return done.error();
    std::erase_if(work_axes.as_object(),
                  [](const auto& m) { return m.first == "settings" || m.first == "rounds"; });
  }
  auto works = expand(work_axes, where);
  if (!works) return works.error();
  auto all_settings = expand(settings_axes, where + ": settings");
  if (!all_settings) return all_settings.error();
  if (suite.items.size() + works->size() * all_settings->size() > kMostItems) {
    return Error{fmt::format("{}: the suite has more than {} items", where, kMostItems)};
  }
  for (Json& work_json : *works) {
    if (auto known = look_up_model(models, where, work_json); !known) return known.error();
    auto work = parse_workload(work_json, where);
    if (!work) return work.error();
    for (const Json& settings_json : *all_settings) {
      auto settings = parse_settings(settings_json, where + ": settings");
      if (!settings) return settings.error();
      suite.items.push_back({*work, *settings, rounds});
    }
  }
  return {};
}

}  // namespace

Result<Suite> parse_suite(std::string_view text, const std::string& where,
                          const ModelLookup& models) {
  auto json = Json::parse(text);
  if (!json) return json.error().in(where);
  Suite suite;
  Json items;
  Fields fields(*json, where);
  fields.required("name", suite.name)
      .optional("about", suite.about)
      .optional("seconds_per_row", suite.seconds_per_row)
      .optional("most_seconds", suite.most_seconds)
      .optional("rounds", suite.rounds)
      .required("items", items);
  if (!(suite.seconds_per_row > 0)) fields.fail("seconds_per_row", "must be above 0");
  if (!(suite.most_seconds > 0)) fields.fail("most_seconds", "must be above 0");
  if (suite.rounds < 1 || suite.rounds > 1000) fields.fail("rounds", "must lie in 1 to 1000");
  if (!items.is_null() && (!items.is_array() || items.as_array().empty())) {
    fields.fail("items", "must be an array with at least one item");
  }
  if (auto done = fields.done(); !done) return done.error();
  int index = 0;
  for (const Json& item : items.as_array()) {
    const std::string place = fmt::format("{}: item {}", where, ++index);
    if (auto added = add_item(item, place, models, suite); !added) return added.error();
  }
  std::set<std::string> seen;
  for (const SuiteItem& item : suite.items) {
    const std::string key = work_key(item.work) + "@" + settings_key(item.settings);
    if (!seen.insert(key).second) return Error{fmt::format("{}: {} stands twice", where, key)};
  }
  return suite;
}

}  // namespace ridge
