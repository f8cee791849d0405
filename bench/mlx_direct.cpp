// How an f32 product of MLX, timed through its worker, compares with the BLAS that it calls, called
// directly.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "base/random.h"
#include "duel.h"

// OpenBLAS's, declared here: Debian keeps its header in a folder of its own.
extern "C" {
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                 const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);
void openblas_set_num_threads(int threads);
const char* openblas_get_config();
}

namespace ridge::bench {
namespace {

constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;

// Operands of all copies, each in memory of its own.
class DirectGemm {
 public:
  DirectGemm(const Gemm& gemm, int64_t copies, bool small_pages)
      : m_(static_cast<int>(gemm.m)),
        n_(static_cast<int>(gemm.n)),
        k_(static_cast<int>(gemm.k)),
        nt_(gemm.layout == Gemm::Layout::nt) {
    for (int64_t copy = 0; copy < copies; ++copy) {
      for (const TensorSpec& spec : tensors(gemm)) {
        memories_.push_back(std::make_unique<Memory>(spec.bytes(), small_pages));
        fill(tensor_key(1, 2, static_cast<uint64_t>(copy), spec.name), spec.dtype, spec.scale, 0,
             spec.elements(), memories_.back()->as<void>());
      }
    }
  }

  void run(int64_t copy) const {
    const auto at = static_cast<size_t>(3 * copy);  // a, b, c
    cblas_sgemm(kRowMajor, kNoTranspose, nt_ ? kTranspose : kNoTranspose, m_, n_, k_, 1.0f,
                memories_[at]->as<float>(), k_, memories_[at + 1]->as<float>(), nt_ ? k_ : n_, 0.0f,
                memories_[at + 2]->as<float>(), n_);
  }

 private:
  int m_, n_, k_;
  bool nt_;
  std::vector<std::unique_ptr<Memory>> memories_;
};

}  // namespace
}  // namespace ridge::bench

int main(int argc, char** argv) {
  using namespace ridge;
  using namespace ridge::bench;
  Options options = Options::parse(argc, argv);
  const int threads = options.threads > 0 ? options.threads : physical_cores();
  options.worker = MLX_WORKER;
  options.device = "cpu";
  openblas_set_num_threads(threads);
  Table table(fmt::format(
      "f32 products on {} threads, cold: {} called directly, and MLX through its worker", threads,
      openblas_get_config()));
  for (const int64_t n : {512, 1024, 2048}) {
    for (const auto layout : {Gemm::Layout::nn, Gemm::Layout::nt}) {
      const Gemm gemm{.dtype = DType::f32, .layout = layout, .m = n, .n = n, .k = n};
      const std::string row = fmt::format("f32 {} {}", n, name(layout));
      if (row.find(options.filter) == std::string::npos) continue;
      const auto make = [&](int64_t copies) {
        const auto direct = std::make_shared<DirectGemm>(gemm, copies, options.small_pages);
        // OpenBLAS ends its threads where a process is started, and starts them again at the next
        // product: this one, before a turn pins the caller, or all would share its core.
        direct->run(0);
        return Direct{"cblas_sgemm", [direct](int64_t copy) { direct->run(copy); }};
      };
      table.add(row, gemm, duel(gemm, {.threads = threads}, threads, make, options));
    }
  }
  table.close();
}
