#include "llamacpp_worker.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <llama.h>

#include <stdexcept>

#include "alloc_op.h"
#include "graph_op.h"
#include "load_op.h"
#include "model_op.h"

namespace ridge::llamacpp {
namespace {

// ggml tells no cache sizes. Apple's system-level cache is told by nobody; the largest is of 96
// MiB.
int64_t gpu_cache_bytes(const Place& place, int ordinal) {
  constexpr int kL2CacheSize = 38;  // CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE
  if (!place.on_cuda) return int64_t{96} << 20;
  int bytes = 0;
  if (void* driver = dlopen("libcuda.so.1", RTLD_LAZY)) {
    const auto attribute =
        reinterpret_cast<int (*)(int*, int, int)>(dlsym(driver, "cuDeviceGetAttribute"));
    if (!attribute || attribute(&bytes, kL2CacheSize, ordinal) != 0) bytes = 0;
  }
  return bytes;
}

}  // namespace

LlamacppWorker::LlamacppWorker() : host_(mlx_worker::read_host()) {}

sdk::Description LlamacppWorker::describe() {
  if (!engine_) engine_.emplace();
  sdk::Description description{.name = "llamacpp",
                               .libraries = {{"llama.cpp", llama_version()},
                                             {"ggml", ggml_version()},
                                             {"ggml commit", ggml_commit()},
                                             {"ggml back ends", engine_->backend_names()},
                                             {"ggml cpu", engine_->cpu_features()}}};
  int gpus = 0;
  for (const Place& place : engine_->places()) {
    if (place.on_cpu) {
      description.devices.push_back({.id = place.id,
                                     .name = host_.cpu_name,
                                     .memory_bytes = host_.memory_bytes,
                                     .cache_bytes = host_.cache_bytes,
                                     .dtypes = {"f32", "f16", "bf16"}});
      continue;
    }
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(place.device, &free, &total);
    description.devices.push_back({.id = place.id,
                                   .name = ggml_backend_dev_description(place.device),
                                   .memory_bytes = static_cast<int64_t>(total),
                                   .cache_bytes = gpu_cache_bytes(place, gpus++),
                                   .dtypes = {"f16", "bf16"}});
    description.devices.back().dtypes.insert(description.devices.back().dtypes.begin(),
                                             place.on_cuda ? "tf32" : "f32");
  }
  return description;
}

Result<const Place*> LlamacppWorker::place_of(std::string_view device) const {
  if (const Place* place = engine_->find(device)) return place;
  const std::string why = engine_->why_not(device);
  return Error{fmt::format("no device '{}'{}{}", device, why.empty() ? "" : ": ", why)};
}

Result<void> LlamacppWorker::can(const Settings& settings, const Workload& work,
                                 const Place& place) const {
  if (settings.form == Form::packed && !std::holds_alternative<Gemm>(work)) {
    return Error{"packed: there are no weights to lay out in this, or llama.cpp decides by itself"};
  }
  const bool has_ways = std::holds_alternative<Attention>(work) || model_use(work);
  if (!settings.backend.empty() && !has_ways) {
    return Error{fmt::format("no backend '{}': there is one way to do it here", settings.backend)};
  }
  if (settings.threads > 0 && !place.on_cpu) return Error{"threads: a GPU has none to set"};
  if (settings.threads > host_.cores) {
    return Error{fmt::format("{} threads: this process has {} physical core{}", settings.threads,
                             host_.cores, host_.cores == 1 ? "" : "s")};
  }
  if (settings.graph && !std::holds_alternative<Dispatch>(work)) {
    return Error{"graph: ggml runs all work as graphs, there is no other way"};
  }
  return {};
}

Result<void> LlamacppWorker::supports(const Workload& work, const Settings& settings,
                                      std::string_view device) {
  const auto place = place_of(device);
  if (!place) return place.error();
  if (auto yes = can(settings, work, **place); !yes) return yes;
  if (model_use(work)) return can_run(work, settings);
  if (auto plan = plan_of(work, settings, **place, *engine_); !plan) return plan.error();
  return {};
}

Result<std::unique_ptr<sdk::Op>> LlamacppWorker::prepare(const sdk::Task& task) try {
  const auto found = place_of(task.device);
  if (!found) return found.error();
  const Place& place = **found;
  const int threads = task.settings.threads > 0 ? task.settings.threads : host_.cores;
  if (std::holds_alternative<LoadModel>(task.work)) {
    models_.forget();
    loaded_ = true;
    return std::unique_ptr<sdk::Op>(
        std::make_unique<LoadModelOp>(task, *engine_, place, threads, host_.cores));
  }
  if (const ModelUse* use = model_use(task.work)) {
    auto model = models_.load(*use, place, task.seed, host_.cores);
    if (loaded_) models_.forget();  // the next load wants the memory
    return std::unique_ptr<sdk::Op>(
        std::make_unique<ModelOp>(task, *engine_, std::move(model), place, threads));
  }
  auto plan = plan_of(task.work, task.settings, place, *engine_);
  if (!plan) return plan.error();
  if (const auto* alloc = std::get_if<Alloc>(&task.work)) {
    return std::unique_ptr<sdk::Op>(
        std::make_unique<AllocOp>(alloc->what, engine_->backend(place)));
  }
  return std::unique_ptr<sdk::Op>(std::make_unique<GraphOp>(
      task, *std::move(plan), *engine_, place, place.on_cpu ? threads : 0, host_.cores));
} catch (const std::runtime_error& error) {
  return Error{error.what()};  // what llama.cpp says only when it is asked to do it
}

}  // namespace ridge::llamacpp
