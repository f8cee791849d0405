#include "cli/context.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>

#include "cli/commands.h"
#include "workload/model/find.h"

namespace ridge::cli {
namespace {

volatile std::sig_atomic_t signals_seen = 0;  // the one global: a signal handler has no other way

void on_signal(int) {
  if (signals_seen > 0) _exit(kInterrupted);
  signals_seen = 1;
}

constexpr size_t kMostSuite = size_t{16} << 20;
constexpr size_t kMostFilter = 1000;  // std::regex recurses: a long one overflows the stack

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Error{path + ": is a folder"};
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{fmt::format("{}: cannot be read", path)};
  std::string text(kMostSuite + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMostSuite) return Error{fmt::format("{}: larger than 16 MiB", path)};
  return text;
}

Result<Suite> suite_of_works(const std::vector<std::string>& works, const ModelLookup& models) {
  Json items = Json::array();
  for (const std::string& text : works) {
    auto item = Json::parse(text);
    if (!item) return item.error().in(fmt::format("--work '{}'", text));
    items.push(*std::move(item));
  }
  Json suite = Json::object();
  suite.set("name", "work").set("items", std::move(items));
  return parse_suite(suite.dump(), "--work", models);
}

// What a choice asks for: models, works or a suite, of which the command line lets one be typed.
Result<Suite> suite_of(const Choice& choice, const Context& context) {
  const ModelLookup models = models_of(context);
  if (!choice.models.given().empty()) return suite_of_models(choice.models, models);
  if (!choice.works.empty()) return suite_of_works(choice.works, models);
  return load_suite(choice.suite, context);
}

// Without control characters: names and reasons come from workers and files, and none of them shall
// paint the terminal.
std::string printable(std::string text, bool keep_newlines) {
  for (char& c : text) {
    const bool control = static_cast<unsigned char>(c) < ' ' || c == 127;
    if (control && !(keep_newlines && (c == '\n' || c == '\t'))) c = ' ';
  }
  return text;
}

std::string names(const std::vector<WorkerFile>& workers) {
  std::string out;
  for (const WorkerFile& worker : workers) out += (out.empty() ? "" : ", ") + worker.name;
  return out.empty() ? "none" : out;
}

}  // namespace

std::string Context::variable(std::string_view name) const {
  for (const std::string& entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

int complain(const std::string& message, int code) {
  fmt::print(stderr, "ridge: {}\n", printable(message, false));  // one line, whatever was typed
  return code;
}

bool print_result(const std::string& result) { return print_picture(printable(result, true)); }

bool print_picture(const std::string& text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (whole && std::fflush(stdout) == 0) return true;
  complain("cannot write the results to stdout", kFailed);
  return false;
}

std::vector<std::string> suite_names(const Context& context) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(context.data + "/suites", error)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<Suite> load_suite(const std::string& name, const Context& context) {
  const std::vector<std::string> known = suite_names(context);
  const bool own = std::find(known.begin(), known.end(), name) != known.end();
  if (known.empty() && !name.ends_with(".json")) {
    return Error{
        fmt::format("no suite found in {}/suites: ridge needs the share/ and libexec/ that "
                    "came with its bin/ beside it",
                    context.data)};
  }
  if (!own && !name.ends_with(".json")) {
    return Error{fmt::format("there is no suite '{}' (known: {}; or name a .json file)", name,
                             fmt::join(known, ", "))};
  }
  auto text = read_text(own ? fmt::format("{}/suites/{}.json", context.data, name) : name);
  if (!text) return text.error();
  return parse_suite(*text, own ? "suite " + name : name, models_of(context));
}

ModelLookup models_of(const Context& context) {
  return [data = context.data](const std::string& text) -> Result<ModelUse> {
    auto found = find_model(text, data);
    if (!found) return found.error();
    for (const std::string& what : found->beyond) {
      complain(fmt::format("{}: beyond its configuration: {}", text, what), kOk);
    }
    ModelUse use;
    use.model = std::move(found->model);
    use.file = std::move(found->file);
    return use;
  };
}

Result<Resolved> resolve(const Choice& choice, const Context& context) {
  auto suite = suite_of(choice, context);
  if (!suite) return suite.error();
  Resolved out{.suite = *std::move(suite)};
  const auto found = find_workers(context.variable("RIDGE_WORKER_PATH"), context.libexec);
  if (found.empty()) {
    return Error{fmt::format("no worker found in {} nor on RIDGE_WORKER_PATH", context.libexec)};
  }
  for (const std::string& wanted : choice.workers) {
    const auto at = std::find_if(found.begin(), found.end(),
                                 [&](const WorkerFile& file) { return file.name == wanted; });
    if (at == found.end()) {
      return Error{
          fmt::format("there is no worker '{}' (found: {}; "
                      "RIDGE_WORKER_PATH adds folders; torch, mlx and llamacpp are built where "
                      "scripts/frameworks got them)",
                      wanted, names(found))};
    }
    out.query.workers.push_back(*at);
  }
  out.query.named = !choice.workers.empty();
  if (!out.query.named) out.query.workers = found;
  out.query.items = out.suite.items;
  out.query.devices = choice.devices;
  out.query.interrupted = interrupted;
  if (choice.filter.size() > kMostFilter) {
    return Error{fmt::format("--filter is longer than {} characters", kMostFilter)};
  }
  if (!choice.filter.empty()) {
    try {
      const auto pattern = std::make_shared<std::regex>(choice.filter, std::regex::optimize);
      out.query.wanted = [pattern](const std::string& key) {
        return std::regex_search(key, *pattern);
      };
    } catch (const std::regex_error&) {
      return Error{fmt::format("--filter '{}' is not a regular expression", choice.filter)};
    }
  }
  return out;
}

Result<void> validate_plan(const Plan& plan, const Choice& choice) {
  std::vector<std::string> devices;
  bool all_answered = true;
  for (const FoundWorker& worker : plan.workers) {
    all_answered = all_answered && worker.broken.empty();
    for (const auto& device : worker.hello.devices) devices.push_back(device.id);
  }
  for (const std::string& wanted : choice.devices) {
    if (all_answered && std::find(devices.begin(), devices.end(), wanted) == devices.end()) {
      return Error{
          fmt::format("there is no device '{}' (found: {})", wanted, fmt::join(devices, ", "))};
    }
  }
  if (plan.rows.empty()) {
    if (choice.filter.empty()) return Error{"nothing to do: no worker has a device"};
    const std::string how = choice.works.empty()
                                ? fmt::format("`ridge list --suite {}`", choice.suite)
                                : "--dry-run without it";
    return Error{
        fmt::format("--filter '{}' matches no work ({} shows the keys)", choice.filter, how)};
  }
  return {};
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a write that fails says so itself
  std::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() { return signals_seen > 0; }

}  // namespace ridge::cli
