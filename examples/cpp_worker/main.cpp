// A Ridgepoint worker in C++ with the SDK: gemm and stream in f32, as plain loops that OpenMP cuts
// among threads: what a compiler makes of them, beside what a library does.
// docs/adding-a-worker.md walks through it.
#include <omp.h>

#include <algorithm>
#include <fstream>

#include "worker/sdk/host_op.h"

namespace {

using namespace ridge;

// Runs body(begin, end) on every thread. The SDK fills the tensors with it, so that each thread
// touches first what it will compute on.
sdk::ParallelFor parallel_for(int threads) {
  if (threads == 0) threads = omp_get_num_procs();
  return [threads](int64_t count, const std::function<void(int64_t, int64_t)>& body) {
#pragma omp parallel num_threads(threads)
    {
      const int64_t thread = omp_get_thread_num(), all = omp_get_num_threads();
      body(count * thread / all, count * (thread + 1) / all);
    }
  };
}

// HostOp holds `copies` sets of the work's tensors, makes inputs, poisons and reads outputs. Ours
// is to compute on one of the sets.
class Loops : public sdk::HostOp {
 public:
  Loops(const sdk::Task& task, sdk::Arena& arena)
      : HostOp(task, arena, parallel_for(task.settings.threads)),
        parallel_(parallel_for(task.settings.threads)) {}
  sdk::OpInfo info() const override { return {.kernel = "loops", .bytes_held = bytes_held()}; }

 protected:
  float* array(const char* tensor, int64_t copy) const {
    return static_cast<float*>(data(tensor, copy));
  }
  const sdk::ParallelFor parallel_;
};

class Product : public Loops {
 public:
  using Loops::Loops;
  void run(int64_t copy) override {
    const auto& gemm = std::get<Gemm>(task().work);
    const float *a = array("a", copy), *b = array("b", copy);
    float* c = array("c", copy);
    parallel_(gemm.m, [&, n = gemm.n, k = gemm.k](int64_t begin, int64_t end) {
      std::fill(c + begin * n, c + end * n, 0.0f);
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t l = 0; l < k; ++l) {
          for (int64_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + l] * b[l * n + j];
        }
      }
    });
  }
};

class Traffic : public Loops {
 public:
  using Loops::Loops;
  void run(int64_t copy) override {
    const auto& stream = std::get<Stream>(task().work);
    const int64_t n = stream.elements();
    const bool reads = stream.op == Stream::Op::read;
    const float* a = stream.op == Stream::Op::write ? nullptr : array("a", copy);
    float* out = array(reads ? "sum" : "c", copy);
    switch (stream.op) {
      case Stream::Op::read:
        return parallel_((n + Stream::chunk - 1) / Stream::chunk, [&](int64_t begin, int64_t end) {
          for (int64_t j = begin; j < end; ++j) {
            out[j] = 0;
            const int64_t stop = std::min(n, (j + 1) * Stream::chunk);
            for (int64_t i = j * Stream::chunk; i < stop; ++i) out[j] += a[i];
          }
        });
      case Stream::Op::write:
        return parallel_(n, [&, s = *array("s", copy)](int64_t begin, int64_t end) {
          std::fill(out + begin, out + end, s);
        });
      case Stream::Op::copy:
        return parallel_(
            n, [&](int64_t begin, int64_t end) { std::copy(a + begin, a + end, out + begin); });
      case Stream::Op::triad:
        return parallel_(n,
                         [&, s = *array("s", copy), b = array("b", copy)](int64_t i, int64_t end) {
                           for (; i < end; ++i) out[i] = a[i] + s * b[i];
                         });
    }
  }
};

class LoopsWorker : public sdk::Worker {
 public:
  sdk::Description describe() override {
    int64_t cache_kib = 0;  // unknown, where Linux does not tell: then cold rows use two copies
    std::ifstream("/sys/devices/system/cpu/cpu0/cache/index3/size") >> cache_kib;
    return {
        .name = "loops",
        .libraries = {{"OpenMP", std::to_string(_OPENMP)}},
        .devices = {{.id = "0", .name = "CPU", .cache_bytes = cache_kib << 10, .dtypes = {"f32"}}}};
  }

  // What is not supported is said here, with the reason, and never tried.
  Result<void> supports(const Workload& work, const Settings& settings, std::string_view) override {
    if (settings.form == Form::packed) return Error{"plain loops pack no weights"};
    const auto* gemm = std::get_if<Gemm>(&work);
    const auto* stream = std::get_if<Stream>(&work);
    if (gemm && gemm->dtype == DType::f32 && gemm->output_dtype() == DType::f32 &&
        gemm->layout == Gemm::Layout::nn && !gemm->weights) {
      return {};
    }
    if (stream && !stream->nontemporal) return {};
    return Error{"only gemm in f32 and layout nn, and stream with ordinary stores"};
  }

  Result<std::unique_ptr<sdk::Op>> prepare(const sdk::Task& task) override {
    arena_.reset();
    if (std::holds_alternative<Gemm>(task.work)) {
      return std::unique_ptr<sdk::Op>(new Product(task, arena_));
    }
    return std::unique_ptr<sdk::Op>(new Traffic(task, arena_));
  }

 private:
  sdk::Arena arena_{sdk::available_memory()};
};

}  // namespace

int main(int argc, char** argv) {
  LoopsWorker worker;
  return sdk::serve(argc, argv, worker);
}
