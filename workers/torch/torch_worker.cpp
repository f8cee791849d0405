#include "torch_worker.h"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>

#include <new>
#include <stdexcept>

#include "ops.h"
#include "torch_op.h"

namespace ridge::torch {
namespace {

// What stands in `text` between `before` and the next of `ends`; empty if `before` is not there.
std::string between(const std::string& text, const std::string& before, const char* ends) {
  const size_t at = text.find(before);
  if (at == std::string::npos) return {};
  const size_t begin = at + before.size();
  return text.substr(begin, text.find_first_of(ends, begin) - begin);
}

std::string first_line(const c10::Error& error) {
  const std::string what = error.what_without_backtrace();
  return what.substr(0, what.find('\n'));
}

// Calls into an op, whose errors become one line: PyTorch's own bring a stack trace along.
template <class Call>
auto plainly(Call call) try {
  return call();
} catch (const c10::OutOfMemoryError&) {
  throw std::bad_alloc();
} catch (const c10::Error& error) {
  throw std::runtime_error("PyTorch: " + first_line(error));
}

// An op that tells the worker when it goes.
class Counted : public sdk::Op {
 public:
  Counted(std::unique_ptr<sdk::Op> op, int64_t& live, sdk::Arena* arena)
      : op_(std::move(op)), live_(live), arena_(arena) {
    ++live_;
  }
  ~Counted() override {
    op_.reset();
    if (--live_ == 0 && arena_) arena_->reset();
  }
  void fill(const InputSource& inputs) override {
    plainly([&] { op_->fill(inputs); });
  }
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override {
    return plainly([&] { return op_->read(tensor, copy, elements); });
  }
  void run(int64_t copy) override {
    plainly([&] { op_->run(copy); });
  }
  void wait() override {
    plainly([&] { op_->wait(); });
  }
  double device_ns() override { return op_->device_ns(); }
  sdk::OpInfo info() const override { return op_->info(); }

 private:
  std::unique_ptr<sdk::Op> op_;
  int64_t& live_;
  sdk::Arena* arena_;
};

Result<void> can(const WorkingSet& set, const Settings& settings, const Place& place) {
  if (set.op == WorkingSet::Op::chase) return Error{"PyTorch has no op that walks a ring"};
  return can(set.as_stream(), settings, place);
}

Result<void> can(const Sustained& sustained, const Settings& settings, const Place& place) {
  return can(sustained.gemm, settings, place);
}

Result<void> can(const Load&, const Settings&, const Place&) {
  return Error{"reading files is not PyTorch's: the cpu worker measures it"};
}

}  // namespace

std::string torch_version() { return between(at::show_config(), "TORCH_VERSION=", ", \n"); }

TorchWorker::TorchWorker(cpu::Topology topology, Cuda cuda)
    : host_(std::move(topology)), cuda_(std::move(cuda)) {
  close_shortcuts();
}

sdk::Description TorchWorker::describe() {
  const cpu::Topology& topology = host_.topology();
  const std::string config = at::show_config();
  sdk::Description description{
      .name = "torch",
      .libraries = {{"torch", torch_version()}, {"torch isa", at::get_cpu_capability()}},
      .devices = {{.id = "cpu",
                   .name = topology.cpu_name,
                   .memory_bytes = topology.memory_bytes,
                   .cache_bytes = topology.cache_bytes,
                   .dtypes = {"f64", "f32", "bf16", "f16", "int8"}}}};
  const auto add = [&](const char* name, const std::string& version) {
    if (!version.empty()) description.libraries.emplace_back(name, version);
  };
  add("mkl", between(config, "Math Kernel Library Version ", " -\n"));
  add("onednn", between(config, "MKL-DNN v", " \n"));
  add("openmp", between(config, "OpenMP ", " \n"));
  for (size_t i = 0; i < cuda_.gpus.size(); ++i) {
    const Gpu& gpu = cuda_.gpus[i];
    std::vector<std::string> dtypes = {"f64", "f32", "tf32", "bf16", "f16", "int8"};
    if (gpu.major * 10 + gpu.minor >= 89) dtypes.emplace_back("fp8");
    description.devices.push_back({.id = fmt::format("cuda:{}", i),
                                   .name = gpu.name,
                                   .memory_bytes = gpu.memory_bytes,
                                   .cache_bytes = gpu.l2_bytes,
                                   .dtypes = dtypes});
  }
  if (!cuda_.gpus.empty()) {
    const auto& hooks = at::detail::getCUDAHooks();
    add("cuda driver", cuda_.driver);
    add("cudnn", fmt::format("{}", hooks.versionRuntimeCuDNN()));
    add("cuda", fmt::format("{}", hooks.versionCUDART()));
  }
  add("cuda refused", cuda_.why_not);
  if (at::globalContext().hasMPS()) {
    // Unified memory; the size of the system's cache is not told.
    description.devices.push_back({.id = "mps",
                                   .name = topology.cpu_name + " GPU",
                                   .memory_bytes = topology.memory_bytes,
                                   .cache_bytes = topology.cache_bytes,
                                   .dtypes = {"f32", "bf16", "f16"}});
  }
  return description;
}

Result<Place> TorchWorker::place_of(std::string_view device) {
  const auto place = [&](c10::Device at, const Gpu* gpu) {
    return Place{at, host_, arena_.get(), gpu, open_};
  };
  if (device == "cpu") {
    if (!arena_) arena_ = std::make_unique<sdk::Arena>(host_.topology().memory_bytes);
    return place(c10::Device(c10::kCPU), nullptr);
  }
  for (size_t i = 0; i < cuda_.gpus.size(); ++i) {
    if (device != fmt::format("cuda:{}", i)) continue;
    at::globalContext().lazyInitDevice(c10::kCUDA);
    cuda_in_use_ = true;
    return place(c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(i)), &cuda_.gpus[i]);
  }
  if (device == "mps" && at::globalContext().hasMPS()) {
    return place(c10::Device(c10::kMPS, 0), nullptr);
  }
  return Error{
      fmt::format("no device '{}'{}{}", device, cuda_.why_not.empty() ? "" : ": ", cuda_.why_not)};
}

Result<void> TorchWorker::supports(const Workload& work, const Settings& settings,
                                   std::string_view device) {
  auto place = place_of(device);
  if (!place) return place.error();
  if (settings.graph) {
    if (!place->on_cuda()) return Error{"graph: PyTorch records graphs on CUDA only"};
    if (auto yes = can_record(); !yes) return yes;
  }
  if (!settings.backend.empty() && !std::holds_alternative<Attention>(work)) {
    return Error{fmt::format("no backend '{}': there is one way to do it here", settings.backend)};
  }
  if (settings.threads != 0 && !place->on_cpu()) {
    return Error{fmt::format("threads: {} has no threads to set", device)};
  }
  if (settings.threads < 0 || settings.threads > host_.cores()) {
    return Error{fmt::format("{} threads: this process has {} physical core{}", settings.threads,
                             host_.cores(), host_.cores() == 1 ? "" : "s")};
  }
  return std::visit(
      [&](const auto& w) -> Result<void> {
        if constexpr (requires { can(w, settings, *place); }) return can(w, settings, *place);
        return Error{fmt::format("no {} in this worker", w.kind)};
      },
      work);
}

std::unique_ptr<sdk::Op> TorchWorker::op_of(const sdk::Task& task, const Place& place) {
  if (std::holds_alternative<Alloc>(task.work)) return make_alloc(task, place);
  std::unique_ptr<TorchOp> op;
  if (std::holds_alternative<Attention>(task.work)) {
    op = make_attention(task, place);
  } else if (std::holds_alternative<ConvStack>(task.work)) {
    op = make_convolution(task, place);
  } else if (std::holds_alternative<Dispatch>(task.work)) {
    op = make_dispatch(task, place);
  } else if (std::holds_alternative<Stream>(task.work) ||
             std::holds_alternative<WorkingSet>(task.work)) {
    op = make_stream(task, place);
  } else {
    op = make_gemm(task, place);
  }
  op->first_call();
  return op;
}

Result<std::unique_ptr<sdk::Op>> TorchWorker::prepare(const sdk::Task& task) try {
  auto place = place_of(task.device);
  if (!place) return place.error();
  auto op = op_of(task, *place);
  return std::unique_ptr<sdk::Op>(
      std::make_unique<Counted>(std::move(op), live_ops_, arena_.get()));
} catch (const c10::OutOfMemoryError&) {
  throw std::bad_alloc();
} catch (const c10::Error& error) {
  if (live_ops_ == 0 && arena_) arena_->reset();  // what the half-made op had taken
  return Error{"PyTorch refuses: " + first_line(error)};
}

void TorchWorker::park() {
  host_.park();
  for (size_t i = 0; cuda_in_use_ && i < cuda_.gpus.size(); ++i) {
    give_back(c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(i)));
  }
  // The memory of prepared ops stays: they go on after.
  if (live_ops_ == 0 && arena_) arena_->discard();
}

}  // namespace ridge::torch
