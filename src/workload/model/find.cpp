#include "workload/model/find.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "workload/files/gguf.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/huggingface.h"

namespace ridge {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostJson = size_t{1} << 20;

Result<Json> read_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{fmt::format("{}: cannot be read", path)};
  std::string text(kMostJson + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMostJson) return Error{fmt::format("{}: larger than 1 MiB", path)};
  auto json = Json::parse(text);
  if (!json) return json.error().in(path);
  return json;
}

// The folder's name, or in Hugging Face's cache (models--Qwen--Qwen3-0.6B/snapshots/COMMIT) the
// model's.
std::string folder_name(const std::string& config) {
  const fs::path folder = fs::absolute(config).lexically_normal().parent_path();
  if (folder.parent_path().filename() != "snapshots") return folder.filename().string();
  const std::string name = folder.parent_path().parent_path().filename().string();
  const size_t dashes = name.rfind("--");
  return dashes == std::string::npos ? name : name.substr(dashes + 2);
}

Result<FoundModel> of_json(const std::string& path) {
  auto json = read_json(path);
  if (!json) return json.error();
  if (is_huggingface_config(*json)) {
    auto model = parse_huggingface(*json, folder_name(path), path);
    if (!model) return model.error();
    return FoundModel{.model = *std::move(model)};
  }
  auto model = parse_model(*json, path);
  if (!model) return model.error();
  return FoundModel{.model = *std::move(model)};
}

Result<FoundModel> of_gguf(const std::string& path) {
  auto file = open_gguf(path);
  if (!file) return file.error();
  auto found = model_of_gguf(file->gguf, path);
  if (!found) return found.error();
  return FoundModel{.model = std::move(found->model),
                    .file = std::move(found->file),
                    .beyond = std::move(found->beyond)};
}

Result<FoundModel> of_folder(const std::string& path) {
  if (!fs::exists(fs::path(path) / "config.json")) {
    return Error{fmt::format("{}: holds no config.json", path)};
  }
  auto found = of_json((fs::path(path) / "config.json").string());
  if (!found) return found;
  if (auto same = check_huggingface_weights(found->model, path); !same) return same.error();
  return found;
}

bool starts_as_gguf(const std::string& path) {
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return std::string_view(magic, sizeof magic) == "GGUF";
}

}  // namespace

std::vector<std::string> model_names(const std::string& data) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data + "/models", error)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<FoundModel> find_model(const std::string& text, const std::string& data) {
  const std::vector<std::string> names = model_names(data);
  if (std::find(names.begin(), names.end(), text) != names.end()) {
    return of_json(fmt::format("{}/models/{}.json", data, text));
  }
  std::error_code error;
  if (fs::is_directory(text, error)) return of_folder(text);
  if (text.ends_with(".json")) return of_json(text);
  if (text.ends_with(".gguf") || (fs::is_regular_file(text, error) && starts_as_gguf(text))) {
    return of_gguf(text);
  }
  return Error{
      fmt::format("there is no model '{}' (known: {}; or name a GGUF file, a folder as "
                  "Hugging Face has them, or a .json file)",
                  text, names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")))};
}

}  // namespace ridge
