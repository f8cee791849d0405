#include "mlx_worker.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <mlx/backend/cuda/cuda.h>
#include <mlx/backend/metal/metal.h>
#include <mlx/mlx.h>

#include <cstdlib>

#include "alloc_op.h"

namespace ridge::mlx_worker {
namespace {

constexpr const char* kBackEnds[] = {"cpu", "cuda", "metal"};

// MLX tells no cache sizes. Apple's system-level cache is told by nobody; the largest is of 96 MiB.
int64_t gpu_cache_bytes(Place place) {
  constexpr int kL2CacheSize = 38;  // CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE
  if (place == Place::metal) return int64_t{96} << 20;
  int bytes = 0;
  if (void* driver = dlopen("libcuda.so.1", RTLD_LAZY)) {
    const auto attribute =
        reinterpret_cast<int (*)(int*, int, int)>(dlsym(driver, "cuDeviceGetAttribute"));
    if (!attribute || attribute(&bytes, kL2CacheSize, 0) != 0) bytes = 0;
  }
  return bytes;
}

// MLX asks the same before it compiles for a CPU.
bool has_compiler() {
  static const bool found = std::system("g++ --version >/dev/null 2>&1") == 0;
  return found;
}

std::string text_of(const mx::Device& device, const std::string& key) {
  const auto& all = mx::device_info(device);
  const auto at = all.find(key);
  const auto* text = at == all.end() ? nullptr : std::get_if<std::string>(&at->second);
  return text ? *text : "unknown GPU";
}

std::optional<int64_t> memory_of(const mx::Device& device) {
  const auto& all = mx::device_info(device);
  for (const char* key : {"total_memory", "memory_size"}) {
    const auto at = all.find(key);
    if (at == all.end()) continue;
    if (const auto* bytes = std::get_if<size_t>(&at->second)) return static_cast<int64_t>(*bytes);
  }
  return std::nullopt;
}

}  // namespace

MlxWorker::MlxWorker(bool tf32) : tf32_(tf32), host_(read_host()), blas_(find_blas()) {
  if (mx::is_available(mx::Device::gpu)) {
    gpu_ = mx::cu::is_available() ? Place::cuda : Place::metal;
  }
}

sdk::Description MlxWorker::describe() {
  sdk::Description description{.name = tf32_ ? "mlx_tf32" : "mlx",
                               .libraries = {{"mlx", mx::version()},
                                             {"mlx back end", kBackEnds[static_cast<int>(gpu_)]},
                                             {"mlx tf32", tf32_ ? "on" : "off"},
                                             {"blas", blas_.about}}};
  if (!tf32_) {
    description.devices.push_back({.id = "cpu",
                                   .name = host_.cpu_name,
                                   .memory_bytes = host_.memory_bytes,
                                   .cache_bytes = host_.cache_bytes,
                                   .dtypes = {"f64", "f32", "f16", "bf16"}});
  }
  if (gpu_ != Place::cpu) {
    const mx::Device gpu(mx::Device::gpu);
    description.devices.push_back({.id = "gpu",
                                   .name = text_of(gpu, "device_name"),
                                   .memory_bytes = memory_of(gpu),
                                   .cache_bytes = gpu_cache_bytes(gpu_)});
    description.devices.back().dtypes =
        tf32_ ? std::vector<std::string>{"tf32"} : std::vector<std::string>{"f32", "f16", "bf16"};
  }
  return description;
}

Result<Target> MlxWorker::target_of(std::string_view device) const {
  if (device == "cpu" && !tf32_) {
    return Target{.device = mx::Device::cpu, .blas = &blas_, .cores = host_.cores};
  }
  if (device == "gpu" && gpu_ != Place::cpu) {
    return Target{.device = mx::Device::gpu, .place = gpu_, .blas = &blas_, .cores = host_.cores};
  }
  return Error{fmt::format("no device '{}'", device)};
}

Result<Graph> MlxWorker::accept(const Workload& work, const Settings& settings,
                                Target& target) const {
  const bool on_cpu = target.place == Place::cpu, is_alloc = std::holds_alternative<Alloc>(work);
  const bool wants_tf32 = ridge::dtype_of(work) == DType::tf32;
  if (tf32_ && !wants_tf32) return Error{"this worker is for tf32 alone: the rest is worker mlx's"};
  if (!tf32_ && wants_tf32 && !on_cpu) {
    return Error{"MLX decides on TF32 once a process: worker mlx_tf32 is the one that does it"};
  }
  if (settings.form == Form::packed) return Error{"MLX has no packed weights"};
  if (!settings.backend.empty() && !std::holds_alternative<Attention>(work)) {
    return Error{
        fmt::format("no backend '{}': there is one way to do it in MLX", settings.backend)};
  }
  if (settings.threads > 0 && !on_cpu) return Error{"threads: a GPU has none to set"};
  if (settings.threads > host_.cores) {
    return Error{fmt::format("{} threads: this process has {} physical core{}", settings.threads,
                             host_.cores, host_.cores == 1 ? "" : "s")};
  }
  if (settings.graph && (is_alloc || (on_cpu && !has_compiler()))) {
    return Error{is_alloc ? "alloc is no graph"
                          : "graph: mx::compile on a CPU calls g++, and there is none"};
  }
  if (is_alloc) {
    if (on_cpu) return Error{"MLX's memory on a CPU is malloc's: the cpu worker measures that"};
    return Graph{};
  }
  mx::set_default_device(target.device);
  auto graph = graph_of(work, settings, target.place);
  if (!graph) return graph;
  if (on_cpu) {
    const bool many = graph->by_blas && blas_.set_threads;
    if (settings.threads > 1 && !many) {
      return Error{fmt::format("{} threads: MLX computes this on one", settings.threads)};
    }
    target.threads = settings.threads > 0 ? settings.threads : many ? host_.cores : 1;
  }
  return graph;
}

Result<void> MlxWorker::supports(const Workload& work, const Settings& settings,
                                 std::string_view device) {
  auto target = target_of(device);
  if (!target) return target.error();
  if (auto graph = accept(work, settings, *target); !graph) return graph.error();
  return {};
}

Result<std::unique_ptr<sdk::Op>> MlxWorker::prepare(const sdk::Task& task) {
  auto target = target_of(task.device);
  if (!target) return target.error();
  auto graph = accept(task.work, task.settings, *target);
  if (!graph) return graph.error();
  if (const auto* alloc = std::get_if<Alloc>(&task.work)) {
    return std::unique_ptr<sdk::Op>(std::make_unique<AllocOp>(alloc->what, target->device));
  }
  return make_op(task, *std::move(graph), *target);
}

std::unique_ptr<sdk::Op> MlxWorker::make_op(const sdk::Task& task, Graph graph,
                                            const Target& target) {
  return std::make_unique<MlxOp>(task, std::move(graph), target);
}

void MlxWorker::park() { mx::clear_cache(); }

}  // namespace ridge::mlx_worker
