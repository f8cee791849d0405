#include "cpu_worker.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "alloc_op.h"
#include "attention_op.h"
#include "chase_op.h"
#include "conv_op.h"
#include "dispatch_op.h"
#include "flash_op.h"
#include "gemm_op.h"
#include "load_op.h"
#include "product.h"
#include "stream_kernels.h"
#include "stream_op.h"
#include "trial.h"
#include "worker/sdk/memory.h"

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

Result<void> never_packed(const Settings& settings, std::string_view kind) {
  if (settings.form == Form::packed) return Error{fmt::format("{} has no packed form", kind)};
  return {};
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
  try_flash_ways();
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

Result<void> CpuWorker::refuses(DType dtype, std::string_view what) const {
  if (dtype == DType::tf32) return Error{"a CPU has no tf32: f32 products are true f32"};
  const auto at = refused_.find(dtype);
  if (at == refused_.end()) {
    return Error{fmt::format("oneDNN has no {} {} on a CPU", name(dtype), what)};
  }
  if (!at->second.empty()) return Error{at->second};
  return {};
}

Result<void> CpuWorker::can(const Gemm& gemm, const Settings& settings) {
  if (gemm.weights) {
    return Error{fmt::format("oneDNN {} has no product with {} weights", onednn_version(),
                             name(*gemm.weights))};
  }
  if (auto yes = refuses(gemm.dtype, "product"); !yes) return yes;
  if (auto product = make_product(engine_, gemm, settings.form); !product) return product.error();
  return {};
}

Result<void> CpuWorker::can(const Sustained& sustained, const Settings& settings) {
  return can(sustained.gemm, settings);
}

Result<void> CpuWorker::can(const ConvStack& stack, const Settings& settings) {
  if (auto yes = refuses(stack.dtype, "convolution"); !yes) return yes;
  if (auto built = make_convolution(engine_, stack, settings.form); !built) return built.error();
  return {};
}

Result<void> CpuWorker::can(const Stream&, const Settings& settings) {
  return never_packed(settings, "stream");
}

// Which of our ways computes an attention: here and in op_of() they are named, nowhere else.
// Without a choice the forward pass is fused where that can be, and the backward pass unfused.
Result<std::string> CpuWorker::attention_way(const Attention& attention, const Settings& settings) {
  const auto fused = flash_way(attention);
  if (settings.backend == "fused" && !fused) return fused.error();
  if (settings.backend.empty()) return std::string(fused ? "fused" : "unfused");
  if (settings.backend == "fused" || settings.backend == "unfused") return settings.backend;
  return Error{
      fmt::format("no backend '{}': attention is fused or unfused here", settings.backend)};
}

Result<void> CpuWorker::can(const Attention& attention, const Settings& settings) {
  if (auto yes = never_packed(settings, "attention"); !yes) return yes;
  const auto way = attention_way(attention, settings);
  if (!way) return way.error();
  if (*way == "fused") return {};
  if (auto yes = refuses(attention.dtype, "attention"); !yes) return yes;
  const auto matrix = static_cast<double>(score_matrix_bytes(attention));
  if (matrix > static_cast<double>(topology_.memory_bytes) / 8) {
    return Error{
        fmt::format("the score matrix of unfused attention takes {:.1f} GiB: more than "
                    "an eighth of this machine's memory",
                    matrix / 0x1p30)};
  }
  return can_multiply(engine_, attention);
}

Result<void> CpuWorker::can(const WorkingSet& set, const Settings& settings) {
  if (set.op == WorkingSet::Op::chase && team_.threads_for(settings.threads) != 1) {
    return Error{"a chase is one core's: threads must be 1"};
  }
  return never_packed(settings, "workingset");
}

Result<void> CpuWorker::can(const Dispatch&, const Settings& settings) {
  return never_packed(settings, "dispatch");
}

Result<void> CpuWorker::can(const Load&, const Settings& settings) {
  if (settings.timing != Timing::isolated) {
    return Error{"load is made ready before every sample: its timing must be isolated"};
  }
  if (auto yes = can_load(settings.cache); !yes) return yes;
  return never_packed(settings, "load");
}

Result<void> CpuWorker::can(const Alloc&, const Settings& settings) {
  return never_packed(settings, "alloc");
}

Result<void> CpuWorker::supports(const Workload& work, const Settings& settings,
                                 std::string_view device) {
  if (refused_.empty()) try_dtypes();
  if (device != "0") return Error{fmt::format("no device '{}': the CPU is device 0", device)};
  if (settings.graph) return Error{"graph: a CPU has nothing to record and replay"};
  if (!settings.backend.empty() && !std::holds_alternative<Attention>(work)) {
    return Error{fmt::format("no backend '{}': there is one way to do it here", settings.backend)};
  }
  if (settings.threads < 0 || settings.threads > team_.cores()) {
    return Error{fmt::format("{} threads: this process has {} physical core{}", settings.threads,
                             team_.cores(), team_.cores() == 1 ? "" : "s")};
  }
  return std::visit(
      [&](const auto& w) -> Result<void> {
        if constexpr (requires { can(w, settings); }) return can(w, settings);
        return Error{fmt::format("no {} in this worker", w.kind)};
      },
      work);
}

sdk::Arena& CpuWorker::arena() {
  if (!arena_) arena_ = std::make_unique<sdk::Arena>(topology_.memory_bytes);
  return *arena_;
}

template <class Op, class... Args>
std::unique_ptr<sdk::Op> CpuWorker::make(const sdk::Task& task, Args&&... args) {
  return std::make_unique<Counted<Op>>(live_ops_, arena(), task, team_,
                                       std::forward<Args>(args)...);
}

std::unique_ptr<sdk::Op> CpuWorker::op_of(const sdk::Task& task) {
  const auto instead = [&](const Workload& work) {
    sdk::Task other = task;
    other.work = work;
    return other;
  };
  if (std::holds_alternative<Gemm>(task.work)) return make<GemmOp>(task, engine_);
  if (const auto* attention = std::get_if<Attention>(&task.work)) {
    if (*attention_way(*attention, task.settings) == "unfused") {
      return make<AttentionOp>(task, engine_);
    }
    return make<FlashOp>(task, *flash_way(*attention));
  }
  if (std::holds_alternative<ConvStack>(task.work)) return make<ConvOp>(task, engine_);
  if (std::holds_alternative<Dispatch>(task.work)) return make<DispatchOp>(task, engine_);
  if (std::holds_alternative<Load>(task.work)) return make<LoadOp>(task);
  if (const auto* alloc = std::get_if<Alloc>(&task.work)) {
    park();  // what this process holds, nobody else can take
    return std::make_unique<AllocOp>(alloc->what);
  }
  if (const auto* sustained = std::get_if<Sustained>(&task.work)) {
    return make<GemmOp>(instead(sustained->gemm), engine_);
  }
  if (const auto* set = std::get_if<WorkingSet>(&task.work)) {
    if (set->op == WorkingSet::Op::chase) return make<ChaseOp>(task);
    return make<StreamOp>(instead(set->as_stream()));
  }
  return make<StreamOp>(task);
}

Result<std::unique_ptr<sdk::Op>> CpuWorker::prepare(const sdk::Task& task) try {
  const int64_t available = sdk::available_memory(), held = arena_ ? arena_->touched() : 0;
  auto op = op_of(task);
  // Its tensors are known to fit. What else it takes (score matrices, packed weights) is known now,
  // before anything is written to.
  const int64_t needs = arena_ ? arena_->touched() - held : 0;
  if (sdk::fits(needs, available)) return op;
  op.reset();
  park();
  return Error{sdk::too_large(needs, available)};
} catch (const std::bad_alloc&) {  // its tensors would fit, all that it takes does not
  park();
  return Error{"needs more memory than this process may map"};
} catch (...) {
  park();  // what the half-made op had taken
  throw;
}

void CpuWorker::park() {
  team_.park();
  // The memory of prepared ops stays: they go on after.
  if (live_ops_ == 0 && arena_) arena_->discard();
}

}  // namespace ridge::cpu
