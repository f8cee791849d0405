#include "engine.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <stdexcept>

#include "log.h"
#include "worker/sdk/worker.h"

namespace ridge::llamacpp {
namespace {

std::string folder_of_ggml() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<void*>(&ggml_backend_load_all_from_path), &info) ||
      !info.dli_fname) {
    return {};
  }
  std::error_code none;  // a link to a library lies elsewhere than its modules
  const std::filesystem::path file = std::filesystem::canonical(info.dli_fname, none);
  return (none ? std::filesystem::path(info.dli_fname) : file).parent_path().string();
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text == "mtl" ? "metal" : text;
}

}  // namespace

Engine::Engine() : folder_(folder_of_ggml()) {
  keep_log();
  for (const char* at : {"", "/../bin", "/../libexec"}) {
    if (ggml_backend_reg_by_name("CPU")) break;
    std::error_code none;
    const std::string folder = folder_ + at;
    if (std::filesystem::is_directory(folder, none))
      ggml_backend_load_all_from_path(folder.c_str());
  }
  cpu_ = ggml_backend_reg_by_name("CPU");
  if (!cpu_) {
    throw sdk::Unsupported(
        fmt::format("the llama.cpp in {} has no back end for this processor: scripts/frameworks "
                    "llamacpp builds one",
                    folder_));
  }
  llama_backend_init();
  std::map<std::string, int> counts;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const auto type = ggml_backend_dev_type(device);
    const std::string kind = lower(ggml_backend_reg_name(ggml_backend_dev_backend_reg(device)));
    if (type == GGML_BACKEND_DEVICE_TYPE_CPU) {
      places_.insert(places_.begin(), {.id = "cpu", .device = device, .on_cpu = true});
    } else if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) {
      places_.push_back({.id = fmt::format("{}:{}", kind, counts[kind]++),
                         .device = device,
                         .on_cuda = kind == "cuda"});
    }
  }
}

Engine::~Engine() {
  backends_.clear();
  const auto end =
      reinterpret_cast<decltype(&ggml_threadpool_free)>(function("ggml_threadpool_free"));
  for (const auto& [threads, pool] : pools_) end(pool);
}

const Place* Engine::find(std::string_view id) const {
  const auto at =
      std::find_if(places_.begin(), places_.end(), [&](const Place& p) { return p.id == id; });
  return at == places_.end() ? nullptr : &*at;
}

std::string Engine::why_not(std::string_view id) const {
  if (!id.starts_with("cuda")) return {};
  for (const char* at : {"", "/../bin"}) {
    const std::string module = folder_ + at + "/libggml-cuda.so";
    std::error_code none;
    if (!std::filesystem::exists(module, none)) continue;
    if (dlopen(module.c_str(), RTLD_LAZY | RTLD_LOCAL)) return "no GPU is visible";
    const char* why = dlerror();
    return why ? why : "libggml-cuda.so cannot be opened";
  }
  return "this llama.cpp has no CUDA: scripts/frameworks llamacpp-cuda builds it";
}

void* Engine::function(const char* name) const {
  return ggml_backend_reg_get_proc_address(cpu_, name);
}

ggml_backend_t Engine::backend(const Place& place) {
  ggml_backend_ptr& backend = backends_[place.device];
  if (!backend) backend.reset(ggml_backend_dev_init(place.device, nullptr));
  if (!backend) throw std::runtime_error(fmt::format("ggml cannot start {}", place.id));
  return backend.get();
}

ggml_threadpool_t Engine::use_threads(int threads) {
  ggml_backend_t cpu = backend(places_.front());
  ggml_threadpool_t& pool = pools_[threads];
  if (!pool) {
    const auto make =
        reinterpret_cast<decltype(&ggml_threadpool_new)>(function("ggml_threadpool_new"));
    ggml_threadpool_params params = ggml_threadpool_params_default(threads);
    pool = make ? make(&params) : nullptr;
    if (!pool) throw std::runtime_error(fmt::format("ggml cannot start {} threads", threads));
  }
  if (threads == threads_) return pool;
  threads_ = threads;
  reinterpret_cast<ggml_backend_set_n_threads_t>(function("ggml_backend_set_n_threads"))(cpu,
                                                                                         threads);
  reinterpret_cast<decltype(&ggml_backend_cpu_set_threadpool)>(
      function("ggml_backend_cpu_set_threadpool"))(cpu, pool);
  return pool;
}

std::string Engine::cpu_features() const {
  std::string all;
  const auto get =
      reinterpret_cast<ggml_backend_get_features_t>(function("ggml_backend_get_features"));
  for (const ggml_backend_feature* each = get ? get(cpu_) : nullptr; each && each->name; ++each) {
    all += (all.empty() ? "" : " ") + std::string(each->name);
  }
  return all;
}

std::string Engine::backend_names() const {
  std::string all;
  for (size_t i = 0; i < ggml_backend_reg_count(); ++i) {
    all += (all.empty() ? "" : " ") + std::string(ggml_backend_reg_name(ggml_backend_reg_get(i)));
  }
  return all;
}

std::vector<ggml_backend_buffer_type_t> Engine::packed_buffers() const {
  std::vector<ggml_backend_buffer_type_t> all;
  const auto get = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      function("ggml_backend_dev_get_extra_bufts"));
  for (ggml_backend_buffer_type_t* each = get ? get(places_.front().device) : nullptr;
       each && *each; ++each) {
    all.push_back(*each);
  }
  return all;
}

}  // namespace ridge::llamacpp
