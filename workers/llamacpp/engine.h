#pragma once

#include <ggml-cpp.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ridge::llamacpp {

// A device of one of ggml's back ends.
struct Place {
  std::string id;  // "cpu", "cuda:0"
  ggml_backend_dev_t device = nullptr;
  bool on_cpu = false;
  bool on_cuda = false;
};

// ggml as this process has it: the back ends that could be loaded, and the threads of the CPU's.
// Modules (GGML_BACKEND_DL) are looked for beside libggml and in ../bin of it; one that lacks its
// driver, or is built for another processor, is left out.
class Engine {
 public:
  Engine();  // throws std::runtime_error where not even a CPU back end can be had
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::vector<Place>& places() const { return places_; }
  const Place* find(std::string_view id) const;
  // Why there is no such device, where more is known than that; else empty.
  std::string why_not(std::string_view id) const;

  // Made when first asked for, and kept.
  ggml_backend_t backend(const Place& place);
  // Threads of the CPU back end, from a pool as llama-bench makes it. They are not pinned, and go
  // to sleep by themselves when nothing comes. A pool lives as long as this does.
  ggml_threadpool_t use_threads(int threads);

  std::string cpu_features() const;  // "AVX2 AVX512 … OPENMP REPACK", as the CPU back end says
  std::string backend_names() const;
  // Where the CPU back end keeps weights that it lays out anew (AMX tiles, rows interleaved).
  std::vector<ggml_backend_buffer_type_t> packed_buffers() const;

 private:
  void* function(const char* name) const;  // of the CPU back end, which may be a module

  std::string folder_;  // of libggml
  std::vector<Place> places_;
  std::map<ggml_backend_dev_t, ggml_backend_ptr> backends_;
  ggml_backend_reg_t cpu_ = nullptr;
  std::map<int, ggml_threadpool_t> pools_;
  int threads_ = 0;  // of the pool in use
};

}  // namespace ridge::llamacpp
