#include "cpu_worker.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "gemm_op.h"
#include "product.h"
#include "stream_kernels.h"
#include "stream_op.h"
#include "trial.h"

namespace ridge::cpu {
namespace {

// An op that tells the worker when it goes.
template <class Op>
class Counted : public Op {
 public:
  template <class... Args>
  Counted(int64_t& live, sdk::Arena& arena, const sdk::Task& task, Args&&... args)
      : Op(task, arena, std::forward<Args>(args)...), live_(live), arena_of_all_(arena) {
    ++live_;
  }
  ~Counted() override {
    if (--live_ == 0) arena_of_all_.reset();
  }

 private:
  int64_t& live_;
  sdk::Arena& arena_of_all_;
};

// A product of ones, whose every element must be the length of the reduction.
bool small_product_is_right(const dnnl::engine& engine, DType dtype) {
  constexpr int64_t kSize = 64;
  const Gemm gemm{.dtype = dtype, .m = kSize, .n = kSize, .k = kSize};
  omp_set_num_threads(1);
  auto product = make_product(engine, gemm, Form::plain);
  if (!product) return false;
  const auto ones = [&](void* out) {
    for (int64_t i = 0; i < kSize * kSize; ++i) {
      switch (dtype) {
        case DType::f32: static_cast<float*>(out)[i] = 1; break;
        case DType::bf16: static_cast<uint16_t*>(out)[i] = to_bf16(1); break;
        case DType::f16: static_cast<uint16_t*>(out)[i] = to_f16(1); break;
        default: static_cast<int8_t*>(out)[i] = 1; break;
      }
    }
  };
  const dnnl::memory a(product->a, engine), b(product->b, engine), c(product->c, engine),
      scratchpad(product->scratchpad, engine);
  ones(a.get_data_handle());
  ones(b.get_data_handle());
  dnnl::stream stream(engine);
  product->primitive.execute(stream, {{DNNL_ARG_SRC, a},
                                      {DNNL_ARG_WEIGHTS, b},
                                      {DNNL_ARG_DST, c},
                                      {DNNL_ARG_SCRATCHPAD, scratchpad}});
  stream.wait();
  for (int64_t i = 0; i < kSize * kSize; ++i) {
    if (load(gemm.output_dtype(), c.get_data_handle(), i) != kSize) return false;
  }
  return true;
}

bool small_stream_is_right() {
  alignas(64) float a[512], c[512];
  std::fill(std::begin(a), std::end(a), 1.0f);
  stream_triad(a, a, 2.0f, c, 512, true);
  float sum = 0;
  stream_read(c, 512, &sum);
  return sum == 3 * 512;
}

}  // namespace

CpuWorker::CpuWorker(Topology topology)
    : topology_(std::move(topology)), team_(topology_.cores), engine_(dnnl::engine::kind::cpu, 0) {}

void CpuWorker::try_dtypes() {
  while (!trial(small_stream_is_right).empty() && drop_best_highway_target()) {
  }
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::int8}) {
    const Gemm gemm{.dtype = dtype, .m = 64, .n = 64, .k = 64};
    if (auto product = make_product(engine_, gemm, Form::plain); !product) {
      refused_[dtype] = product.error().message;
      continue;
    }
    const std::string why = trial([&] { return small_product_is_right(engine_, dtype); });
    refused_[dtype] = why.empty() ? "" : fmt::format("{} products fail here: {}", name(dtype), why);
  }
}

sdk::Description CpuWorker::describe() {
  if (refused_.empty()) try_dtypes();
  sdk::Device device{.id = "0",
                     .name = topology_.cpu_name,
                     .memory_bytes = topology_.memory_bytes,
                     .cache_bytes = topology_.cache_bytes};
  for (const auto& [dtype, why] : refused_) {
    if (why.empty()) device.dtypes.emplace_back(name(dtype));
  }
  return {.name = "cpu",
          .libraries = {{"onednn", onednn_version()},
                        {"onednn isa", onednn_isa()},
                        {"highway", highway_version()},
                        {"highway target", highway_target()},
                        {"openmp", fmt::format("libgomp {}", _OPENMP)}},
          .devices = {device}};
}

Result<void> CpuWorker::supports_gemm(const Gemm& gemm, Form form) {
  if (gemm.dtype == DType::tf32) return Error{"a CPU has no tf32: f32 products are true f32"};
  const auto at = refused_.find(gemm.dtype);
  if (at == refused_.end()) {
    return Error{fmt::format("oneDNN has no {} product on a CPU", name(gemm.dtype))};
  }
  if (!at->second.empty()) return Error{at->second};
  if (auto product = make_product(engine_, gemm, form); !product) return product.error();
  return {};
}

Result<void> CpuWorker::supports(const Workload& work, const Settings& settings,
                                 std::string_view device) {
  if (refused_.empty()) try_dtypes();
  if (device != "0") return Error{fmt::format("no device '{}': the CPU is device 0", device)};
  if (settings.graph) return Error{"graph: a CPU has nothing to record and replay"};
  if (settings.threads < 0 || settings.threads > team_.cores()) {
    return Error{fmt::format("{} threads: this process has {} physical core{}", settings.threads,
                             team_.cores(), team_.cores() == 1 ? "" : "s")};
  }
  if (const auto* gemm = std::get_if<Gemm>(&work)) return supports_gemm(*gemm, settings.form);
  if (std::holds_alternative<Stream>(work)) {
    if (settings.form == Form::packed) return Error{"stream has no packed form"};
    return {};
  }
  return Error{fmt::format("this worker does not do {}", kind(work))};
}

sdk::Arena& CpuWorker::arena() {
  if (!arena_) arena_ = std::make_unique<sdk::Arena>(topology_.memory_bytes);
  return *arena_;
}

Result<std::unique_ptr<sdk::Op>> CpuWorker::prepare(const sdk::Task& task) try {
  if (std::holds_alternative<Gemm>(task.work)) {
    return std::unique_ptr<sdk::Op>(
        std::make_unique<Counted<GemmOp>>(live_ops_, arena(), task, team_, engine_));
  }
  return std::unique_ptr<sdk::Op>(
      std::make_unique<Counted<StreamOp>>(live_ops_, arena(), task, team_));
} catch (...) {
  if (live_ops_ == 0 && arena_) arena_->reset();  // what the half-made op had taken
  throw;
}

void CpuWorker::park() {
  team_.park();
  // The memory of prepared ops stays: they go on after.
  if (live_ops_ == 0 && arena_) arena_->discard();
}

}  // namespace ridge::cpu
