#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "workload/files/gguf.h"
#include "workload/model/config.h"
#include "workload/model/format.h"

namespace ridge {

// What a GGUF file says of its model beside the tensors, in llama.cpp's keys (src/llama-arch.cpp):
// architecture llama (also of mistral and mixtral), qwen3, qwen3moe or deepseek, without a
// vocabulary. An error where llama.cpp computes no such model under any of them.
Result<GgufMetadata> gguf_metadata(const ModelConfig& model, ModelFormat format);
// All weights of the model as the file's tensors, in the order of weights().
std::vector<GgufTensor> gguf_tensors(const ModelConfig& model, ModelFormat format);
// A file of random weights (model/weights.h) that llama.cpp loads. threads 0: one a processor.
Result<void> write_model(const std::string& path, const ModelConfig& model, ModelFormat format,
                         uint64_t seed, int threads = 0);

struct GgufModel {
  ModelConfig model;
  ModelFile file;
  // What the file has and a configuration does not tell, such as biases and RoPE scaling: bytes
  // and costs count all tensors, a computation from the configuration alone would be another.
  std::vector<std::string> beyond;
};
// The model of a file; `path` names it, and it where it has no name of its own. An error for other
// architectures, by name, for parts of a split file, and where tensors are missing or of other
// shapes than the metadata say.
Result<GgufModel> model_of_gguf(const Gguf& gguf, const std::string& path);

// "Qwen3 0.6B" as a name of a model: "qwen3-0.6b"; "model" where nothing is left.
std::string as_model_name(std::string_view text);

}  // namespace ridge
