#include "cli/live_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

namespace ridge::cli {
namespace {

const std::set<std::string> kSettings = {"form",  "threads", "cache",      "timing",
                                         "graph", "backend", "micro_batch"};

// Settings are read as a suite's are: by one parser, with its errors.
Json value_of(const std::string& key, const std::string& text) {
  if (key == "graph" && (text == "true" || text == "false")) return text == "true";
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return text;
}

// `folder` is another build's prefix, or the folder of its workers.
std::vector<WorkerFile> workers_of_build(const std::string& folder) {
  auto found = find_workers("", (std::filesystem::path(folder) / "libexec/ridge").string());
  return found.empty() ? find_workers("", folder) : found;
}

Result<void> keep_worker(const std::string& name, std::vector<WorkerFile>& workers) {
  std::string known;
  for (const WorkerFile& file : workers) known += (known.empty() ? "" : ", ") + file.name;
  std::erase_if(workers, [&](const WorkerFile& file) { return file.name != name; });
  if (workers.empty())
    return Error{fmt::format("there is no worker '{}' (found: {})", name, known)};
  return {};
}

}  // namespace

Result<SideChoice> resolve_side(const std::string& text, const Resolved& resolved,
                                const Context& context) {
  SideChoice out{text.empty() ? "as it is" : text, {resolved.query}};
  PlanQuery& query = out.side.query;
  const std::string where = fmt::format("--side '{}'", text);
  std::set<std::string> seen;
  std::string build, worker;
  std::vector<std::pair<std::string, std::string>> settings;
  for (size_t begin = 0; begin < text.size() || (begin > 0 && begin == text.size());) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == part.size()) {
      return Error{fmt::format("{}: '{}' is not KEY=VALUE", where, part)};
    }
    const std::string key = part.substr(0, equals), value = part.substr(equals + 1);
    if (!seen.insert(key).second) return Error{fmt::format("{}: '{}' twice", where, key)};
    if (key == "worker") {
      worker = value;
      query.named = true;
    } else if (key == "device") {
      query.devices = {value};
      out.side.names_device = true;
    } else if (key == "build") {
      build = value;
    } else if (kSettings.contains(key)) {
      settings.emplace_back(key, value);
    } else {
      return Error{fmt::format("{}: there is no '{}' (known: worker, device, build, {})", where,
                               key, fmt::join(kSettings, ", "))};
    }
  }
  if (!build.empty()) {
    auto workers = workers_of_build(build);
    if (workers.empty()) {
      return Error{fmt::format("{}: no worker found in {} nor its libexec/ridge", where, build)};
    }
    // Those that --worker names, or that are found here as well.
    std::erase_if(workers, [&](const WorkerFile& file) {
      return std::none_of(query.workers.begin(), query.workers.end(),
                          [&](const WorkerFile& ours) { return ours.name == file.name; });
    });
    if (!worker.empty() || workers.empty()) workers = workers_of_build(build);
    query.workers = std::move(workers);
  } else if (!worker.empty()) {
    query.workers = find_workers(context.variable("RIDGE_WORKER_PATH"), context.libexec);
  }
  if (!worker.empty()) {
    if (auto kept = keep_worker(worker, query.workers); !kept) return kept.error().in(where);
    out.side.names_worker = true;
  }
  for (SuiteItem& item : query.items) {
    Json json = to_json(item.settings);
    for (const auto& [key, value] : settings) json.set(key, value_of(key, value));
    auto parsed = parse_settings(json, where);
    if (!parsed) return parsed.error();
    item.settings = *parsed;
  }
  return out;
}

}  // namespace ridge::cli
