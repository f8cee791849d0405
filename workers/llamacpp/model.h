#pragma once

#include <llama-cpp.h>

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine.h"
#include "memory_file.h"
#include "workload/workload.h"

namespace ridge::llamacpp {

// A model that libllama has loaded on one place.
struct Model {
  std::unique_ptr<MemoryFile> file;  // of synthetic weights, which may be mapped still
  llama_model_ptr model;
  std::string about;  // "llama 7B Q8_0", as llama.cpp calls it
};

// The model that was loaded last stays, so that rows of one model load it once.
class Models {
 public:
  // Throws std::runtime_error, with what llama.cpp said, where it cannot be loaded. `seed`: of
  // synthetic weights.
  std::shared_ptr<const Model> load(const ModelUse& use, const Place& place, uint64_t seed,
                                    int threads);

 private:
  struct Key {
    ModelConfig model;
    ModelFormat format{};
    std::optional<std::string> path;
    std::string place;
    uint64_t seed = 0;
    bool operator==(const Key&) const = default;
  };
  Key key_;
  std::shared_ptr<const Model> last_;
};

// Why libllama would not compute what the configuration says; ok: it does, as far as one can tell
// without loading.
Result<void> can_run(const Workload& work, const Settings& settings);

ggml_type type_of(KvFormat format);

}  // namespace ridge::llamacpp
