// How the cpu worker's attention compares with PyTorch's, called directly: forward, batch 1, 8
// heads of 128, each side on operands of its own with the same distribution.
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <vector>

#include "base/random.h"
#include "duel.h"
#include "torch_attention.h"

namespace ridge::bench {
namespace {

// Operands and calls of all copies. PyTorch makes its output itself.
struct DirectAttention {
  std::vector<std::unique_ptr<Memory>> memories;
  std::vector<std::function<void()>> calls;

  DirectAttention(const Attention& work, int64_t copies, int threads, bool small_pages) {
    for (int64_t copy = 0; copy < copies; ++copy) {
      std::vector<void*> inputs;
      for (const TensorSpec& spec : tensors(work)) {
        if (spec.role == TensorSpec::Role::output) continue;
        memories.push_back(std::make_unique<Memory>(spec.bytes(), small_pages));
        inputs.push_back(memories.back()->as<void>());
        fill(tensor_key(1, 2, static_cast<uint64_t>(copy), spec.name), spec.dtype, spec.scale, 0,
             spec.elements(), inputs.back());
      }
      calls.push_back(torch_attention(work, inputs.at(0), inputs.at(1), inputs.at(2), threads));
    }
  }
};

}  // namespace
}  // namespace ridge::bench

int main(int argc, char** argv) {
  using namespace ridge;
  using namespace ridge::bench;
  const Options options = Options::parse(argc, argv);
  const int threads = options.threads > 0 ? options.threads : physical_cores();
  Table table(fmt::format(
      "Attention forward on {} threads, cold: PyTorch called directly, and the worker", threads));
  double logs = 0, least = INFINITY;
  int rows = 0;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const auto mask : {Attention::Mask::none, Attention::Mask::causal}) {
      for (const int64_t seq : {512, 1024, 2048, 4096}) {
        const Attention work{.dtype = dtype,
                             .heads = 8,
                             .kv_heads = 8,
                             .seq_q = seq,
                             .seq_kv = seq,
                             .head_dim = 128,
                             .mask = mask};
        const std::string row = work_key(work);
        if (row.find(options.filter) == std::string::npos) continue;
        const auto make = [&](int64_t copies) {
          const auto made =
              std::make_shared<DirectAttention>(work, copies, threads, options.small_pages);
          return Direct{"PyTorch",
                        [made](int64_t copy) { made->calls[static_cast<size_t>(copy)](); }};
        };
        const Outcome outcome = duel(work, {.threads = threads}, threads, make, options);
        table.add(row, work, outcome);
        logs += std::log(outcome.ratio);
        least = std::min(least, outcome.ratio);
        ++rows;
      }
    }
  }
  table.close();
  if (rows > 0) {
    fmt::print("\n{} ratios: geometric mean {:.3f}, least {:.3f}\n", rows, std::exp(logs / rows),
               least);
  }
}
