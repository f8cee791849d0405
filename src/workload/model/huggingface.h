#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "workload/model/config.h"

namespace ridge {

// Whether the JSON is a config.json of Hugging Face's transformers, not our own form of a model.
bool is_huggingface_config(const Json& json);

// The model of a config.json: model_type llama, mistral, mixtral, qwen3, qwen3_moe or deepseek,
// with the defaults that transformers has for what is left out. Named `name`, or after its
// _name_or_path. An error for other types, by name, and for what a ModelConfig cannot say: biases,
// other activations, layers that differ, RoPE that is scaled.
Result<ModelConfig> parse_huggingface(const Json& json, const std::string& name,
                                      const std::string& where);

// Holds the safetensors files in `folder` against the model: the embedding's shape, and the number
// of elements in all. ok where there are none.
Result<void> check_huggingface_weights(const ModelConfig& model, const std::string& folder);

}  // namespace ridge
