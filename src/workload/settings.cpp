#include "workload/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ridge {
namespace {

constexpr std::array<std::string_view, 3> kCache = {"cold", "warm", "hot"};
constexpr std::array<std::string_view, 2> kTiming = {"isolated", "pipelined"};
constexpr std::array<std::string_view, 2> kForm = {"plain", "packed"};

template <class Enum, size_t N>
void read_enum(Fields& fields, std::string_view key, const std::array<std::string_view, N>& names,
               Enum& out) {
  std::string text;
  fields.optional(key, text);
  if (text.empty()) return;
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == text) {
      out = static_cast<Enum>(i);
      return;
    }
  }
  fields.fail(key, fmt::format("is '{}' (known: {})", text, fmt::join(names, ", ")));
}

}  // namespace

std::string_view name(CacheMode cache) { return kCache.at(static_cast<size_t>(cache)); }
std::string_view name(Timing timing) { return kTiming.at(static_cast<size_t>(timing)); }
std::string_view name(Form form) { return kForm.at(static_cast<size_t>(form)); }

Json to_json(const Settings& settings) {
  Json json = Json::object();
  json.set("cache", name(settings.cache));
  json.set("timing", name(settings.timing));
  json.set("form", name(settings.form));
  json.set("threads", settings.threads);
  if (settings.micro_batch != 0) json.set("micro_batch", settings.micro_batch);
  json.set("graph", settings.graph);
  if (!settings.backend.empty()) json.set("backend", settings.backend);
  return json;
}

Result<Settings> parse_settings(const Json& json, const std::string& where) {
  Settings settings;
  Fields fields(json, where);
  read_enum(fields, "cache", kCache, settings.cache);
  read_enum(fields, "timing", kTiming, settings.timing);
  read_enum(fields, "form", kForm, settings.form);
  fields.optional("threads", settings.threads).optional("graph", settings.graph);
  fields.optional("backend", settings.backend).optional("micro_batch", settings.micro_batch);
  const bool plain = std::all_of(settings.backend.begin(), settings.backend.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  const bool number = !settings.backend.empty() && settings.backend.front() <= '9';
  if (!plain || number || settings.backend.size() > 32) {
    fields.fail("backend", "must be at most 32 lower-case letters, digits and _, a letter first");
  }
  const bool ub = settings.backend.starts_with("ub") &&
                  settings.backend.find_first_not_of("0123456789", 2) == std::string::npos;
  if (settings.backend == "packed" || settings.backend == "graph" || ub) {
    fields.fail("backend", fmt::format("'{}' is a setting of its own", settings.backend));
  }
  if (settings.threads < 0 || settings.threads > 65536) {
    fields.fail("threads", "must lie in 0 (one a core) to 65536");
  }
  if (settings.micro_batch < 0 || settings.micro_batch > (1 << 20)) {
    fields.fail("micro_batch", "must lie in 0 (the default, 512) to 1048576");
  }
  if (auto done = fields.done(); !done) return done.error();
  return settings;
}

std::string settings_key(const Settings& settings) {
  std::string key = fmt::format("{}/{}", name(settings.cache), name(settings.timing));
  if (settings.form != Form::plain) key += fmt::format("/{}", name(settings.form));
  if (settings.threads != 0) key += fmt::format("/{}t", settings.threads);
  if (settings.micro_batch != 0) key += fmt::format("/ub{}", settings.micro_batch);
  if (settings.graph) key += "/graph";
  if (!settings.backend.empty()) key += fmt::format("/{}", settings.backend);
  return key;
}

}  // namespace ridge
