#pragma once

#include <llama-cpp.h>

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine.h"
#include "made_file.h"
#include "workload/workload.h"

namespace ridge::llamacpp {

// A model that libllama has loaded on one place.
struct Model {
  std::shared_ptr<const MadeFile> file;  // of synthetic weights, which may be mapped still
  llama_model_ptr model;
  std::string about;  // "llama 7B Q8_0", as llama.cpp calls it
};

// As llama-bench loads it. Throws std::runtime_error, with what llama.cpp said, where it cannot;
// `name` is the model's or the file's, to speak of.
Model load_file(const std::string& path, const std::string& name, const Place& place);

// The model that was loaded last stays, so that rows of one model load it once.
class Models {
 public:
  // Throws as load_file and synthetic_file do. `seed`: of synthetic weights.
  std::shared_ptr<const Model> load(const ModelUse& use, const Place& place, uint64_t seed,
                                    int threads);
  // Lets go of the one that stayed; ops that use it keep it.
  void forget() { last_.reset(); }
  // A user's file stays mapped as long as its model lives, and then nobody can read it cold.
  void forget_files() {
    if (key_.path) forget();
  }

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
