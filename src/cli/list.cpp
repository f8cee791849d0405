#include <fmt/format.h>

#include "cli/commands.h"
#include "report/table.h"
#include "store/flags.h"
#include "worker/client.h"

namespace ridge::cli {
namespace {

constexpr double kHelloSeconds = 20;

Json suites_json(const Context& context) {
  Json out = Json::array();
  for (const std::string& name : suite_names(context)) {
    auto suite = load_suite(name, context);
    Json entry = Json::object();
    entry.set("name", name);
    if (suite) {
      entry.set("about", suite->about).set("items", suite->items.size());
    } else {
      entry.set("error", suite.error().message);
    }
    out.push(std::move(entry));
  }
  return out;
}

Json workers_json(const Context& context) {
  Json out = Json::array();
  for (const WorkerFile& file :
       find_workers(context.variable("RIDGE_WORKER_PATH"), context.libexec)) {
    Json entry = Json::object();
    auto client = Client::start(file.path, 1, kHelloSeconds);
    if (client) {
      entry = protocol::to_json(client->hello());
      client->bye();
    } else {
      entry.set("error", client.error().message);
    }
    entry.set("worker", file.name).set("path", file.path);
    out.push(std::move(entry));
  }
  return out;
}

Json kinds_json() {
  Json out = Json::array();
  for (const KindHelp& kind : catalogue()) {
    Json fields = Json::object(), entry = Json::object();
    for (const FieldHelp& field : kind.fields) fields.set(field.name, field.about);
    entry.set("kind", kind.kind).set("about", kind.about).set("fields", std::move(fields));
    out.push(std::move(entry));
  }
  return out;
}

std::string text_of_member(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (!value || value->is_null()) return "";
  return value->is_string() ? value->as_string() : value->dump();
}

std::string overview_md(const Json& all) {
  std::string out;
  Table workers({"worker", "device", "dtypes", "libraries"});
  for (const Json& worker : all.find("workers")->as_array()) {
    const std::string name = text_of_member(worker, "worker");
    if (const Json* error = worker.find("error")) {
      workers.add({name, "–", "–", "does not start: " + error->as_string()});
      continue;
    }
    std::string libraries;
    for (const auto& [library, version] : worker.find("libraries")->as_object()) {
      libraries += fmt::format("{}{} {}", libraries.empty() ? "" : ", ", library,
                               version.is_string() ? version.as_string() : version.dump());
    }
    for (const Json& device : worker.find("devices")->as_array()) {
      std::string dtypes;
      for (const Json& dtype : device.find("dtypes")->as_array()) {
        dtypes += (dtypes.empty() ? "" : ", ") + dtype.as_string();
      }
      workers.add(
          {name,
           fmt::format("{}: {}", text_of_member(device, "id"), text_of_member(device, "name")),
           dtypes, libraries});
    }
  }
  Table suites({"suite", "items", "about"}, {false, true, false});
  for (const Json& suite : all.find("suites")->as_array()) {
    const std::string error = text_of_member(suite, "error");
    suites.add({text_of_member(suite, "name"), text_of_member(suite, "items"),
                error.empty() ? text_of_member(suite, "about") : "broken: " + error});
  }
  Table kinds({"kind", "field", "about"});
  for (const Json& kind : all.find("kinds")->as_array()) {
    kinds.add({text_of_member(kind, "kind"), "", text_of_member(kind, "about")});
    for (const auto& [field, about] : kind.find("fields")->as_object()) {
      kinds.add({"", field, about.as_string()});
    }
  }
  return workers.markdown() + "\n" + suites.markdown() + "\n" + kinds.markdown();
}

}  // namespace

int list(const ListArgs& args, const Context& context) {
  const auto format = parse_format(args.format);
  if (!format || *format == Format::csv || *format == Format::jsonl) {
    return complain(fmt::format("list: --format '{}' (known: md, json)", args.format), kUsage);
  }
  if (!args.suite.empty()) {
    auto suite = load_suite(args.suite, context);
    if (!suite) return complain(suite.error().message, kUsage);
    std::string text;
    Json keys = Json::array();
    for (const SuiteItem& item : suite->items) {
      const std::string key = work_key(item.work) + "@…/" + settings_key(item.settings);
      text += key + "\n";
      keys.push(key);
    }
    return print_result(*format == Format::json ? keys.dump(2) + "\n" : text) ? kOk : kFailed;
  }
  Json all = Json::object();
  all.set("workers", workers_json(context)).set("suites", suites_json(context));
  all.set("kinds", kinds_json());
  const std::string text = *format == Format::json ? all.dump(2) + "\n" : overview_md(all);
  return print_result(text) ? kOk : kFailed;
}

}  // namespace ridge::cli
