#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/model/config.h"
#include "workload/model/format.h"

namespace ridge {

struct FoundModel {
  ModelConfig model;
  std::optional<ModelFile> file = {};    // of a GGUF file
  std::vector<std::string> beyond = {};  // what the file has and `model` does not tell
};

// The model that a user means: a name in DATA/models, a GGUF file, a folder as Hugging Face has
// them (config.json, with or without weights), or a .json file, ours or a config.json. An error for
// anything else lists the names there are.
Result<FoundModel> find_model(const std::string& text, const std::string& data);

// Names in DATA/models, sorted.
std::vector<std::string> model_names(const std::string& data);

}  // namespace ridge
