// PyTorch called by a plain C++ loop and through its worker, in turn: what the harness costs.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "base/random.h"
#include "duel.h"
#include "torch_op.h"

namespace ridge::bench {
namespace {

// `copies` sets of the work's tensors, on memory of our own, and one call of ATen on one of them.
class DirectTorch {
 public:
  DirectTorch(const Workload& work, int64_t copies, bool small_pages)
      : multiplies_(std::holds_alternative<Gemm>(work)) {
    for (int64_t copy = 0; copy < copies; ++copy) {
      std::vector<at::Tensor>& set = sets_.emplace_back();
      for (const TensorSpec& spec : tensors(work)) {
        memories_.push_back(std::make_unique<Memory>(spec.bytes(), small_pages));
        void* at = memories_.back()->as<void>();
        if (spec.role != TensorSpec::Role::output) {
          fill(tensor_key(1, 2, static_cast<uint64_t>(copy), spec.name), spec.dtype, spec.scale, 0,
               spec.elements(), at);
        }
        set.push_back(
            at::from_blob(at, spec.shape, at::TensorOptions(torch::scalar_type(spec.dtype))));
      }
    }
  }
  void run(int64_t copy) {
    const c10::InferenceMode inference;
    std::vector<at::Tensor>& set = sets_[static_cast<size_t>(copy)];
    if (multiplies_) {
      at::mm_out(set[2], set[0], set[1]);
    } else {
      set[1].copy_(set[0]);
    }
  }

 private:
  bool multiplies_;
  std::vector<std::unique_ptr<Memory>> memories_;
  std::vector<std::vector<at::Tensor>> sets_;
};

}  // namespace
}  // namespace ridge::bench

int main(int argc, char** argv) {
  using namespace ridge;
  using namespace ridge::bench;
  Options options = Options::parse(argc, argv);
  options.device = "cpu";
  const int threads = options.threads > 0 ? options.threads : physical_cores();
  at::set_num_threads(threads);
  Table table(fmt::format(
      "PyTorch on {} threads, cold: ATen called in a loop and through the worker", threads));
  const auto row = [&](const std::string& name, const Workload& work) {
    if (name.find(options.filter) == std::string::npos) return;
    const auto make = [&](int64_t copies) {
      const auto direct = std::make_shared<DirectTorch>(work, copies, options.small_pages);
      return Direct{"ATen", [direct](int64_t copy) { direct->run(copy); }};
    };
    table.add(name, work, duel(work, {.threads = threads}, threads, make, options));
  };
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const int64_t n : {1024, 2048}) {
      row(fmt::format("{} {}x{}x{}", name(dtype), n, n, n),
          Gemm{.dtype = dtype, .m = n, .n = n, .k = n});
    }
  }
  for (const int64_t mib : {64, 256}) {
    row(fmt::format("copy {} MiB", mib), Stream{.op = Stream::Op::copy, .bytes = mib << 20});
  }
  table.close();
}
