#include "model.h"

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "log.h"
#include "synthetic.h"
#include "worker/sdk/page_cache.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/weights.h"

namespace ridge::llamacpp {

Model load_file(const std::string& path, const std::string& name, const Place& place) {
  // Without a list all GPUs there are would be used, by a CPU's row too.
  ggml_backend_dev_t devices[] = {place.on_cpu ? nullptr : place.device, nullptr};
  llama_model_params params = llama_model_default_params();
  params.devices = devices;
  params.n_gpu_layers = place.on_cpu ? 0 : -1;
  params.split_mode = LLAMA_SPLIT_MODE_NONE;
  take_log();
  Model loaded;
  loaded.model.reset(llama_model_load_from_file(path.c_str(), params));
  if (!loaded.model) {
    throw std::runtime_error(
        fmt::format("llama.cpp cannot load {}: {}", name, first_error(take_log())));
  }
  char about[128] = "";
  llama_model_desc(loaded.model.get(), about, sizeof about);
  loaded.about = about;
  return loaded;
}

std::shared_ptr<const Model> Models::load(const ModelUse& use, const Place& place, uint64_t seed,
                                          int threads) {
  Key key;
  key.place = place.id;
  if (use.file) {
    key.path = use.file->path;
  } else {
    key.model = use.model;
    key.format = use.format;
    key.seed = seed;
  }
  if (last_ && key == key_) return last_;
  last_.reset();  // before the next one takes memory
  std::shared_ptr<const MadeFile> made;
  if (!use.file) made = synthetic_file(use, seed, threads);
  Model loaded = use.file ? load_file(use.file->path, use.file->path, place)
                          : load_file(made->path(), use.model.name, place);
  loaded.file = std::move(made);
  key_ = key;
  last_ = std::make_shared<const Model>(std::move(loaded));
  return last_;
}

Result<void> can_run(const Workload& work, const Settings& settings) {
  const ModelUse& use = *model_use(work);
  const ModelConfig& m = use.model;
  const bool loads = std::holds_alternative<LoadModel>(work);
  if (loads && settings.timing != Timing::isolated) {
    return Error{"load_model is made ready before every sample: its timing must be isolated"};
  }
  if (loads && settings.cache == CacheMode::warm) {
    return Error{"load_model: the page cache is cold or hot"};
  }
  if (settings.backend != "" && settings.backend != "flash" && settings.backend != "unfused") {
    return Error{fmt::format("no backend '{}': llama.cpp has flash and unfused", settings.backend)};
  }
  if (settings.backend == "unfused" && use.kv == KvFormat::q8_0) {
    return Error{"unfused: llama.cpp keeps values as q8_0 with flash attention alone"};
  }
  if (use.batch > static_cast<int64_t>(llama_max_parallel_sequences())) {
    return Error{fmt::format("a batch of {}: llama.cpp has at most {} sequences", use.batch,
                             llama_max_parallel_sequences())};
  }
  if (use.file) {
    std::error_code none;
    if (!std::filesystem::is_regular_file(use.file->path, none)) {
      return Error{fmt::format("there is no file {}", use.file->path)};
    }
    return loads && settings.cache == CacheMode::cold ? sdk::can_be_cold(use.file->path)
                                                      : Result<void>{};
  }
  if (context_of(work) > m.sliding_window.value_or(INT64_MAX)) {
    return Error{fmt::format("llama.cpp runs {} without its window of {} tokens", m.name,
                             *m.sliding_window)};
  }
  if (auto fits = storable(m, use.format); !fits) return fits;
  if (auto metadata = gguf_metadata(m, use.format); !metadata) return metadata.error();
  return loads && settings.cache == CacheMode::cold ? sdk::temporary_can_be_cold() : Result<void>{};
}

ggml_type type_of(KvFormat format) {
  switch (format) {
    case KvFormat::f16: return GGML_TYPE_F16;
    case KvFormat::f32: return GGML_TYPE_F32;
    case KvFormat::bf16: return GGML_TYPE_BF16;
    case KvFormat::q8_0: return GGML_TYPE_Q8_0;
  }
  return GGML_TYPE_F16;
}

}  // namespace ridge::llamacpp
