#include "torch_op.h"

#include <ATen/Parallel.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "cuda.h"

namespace ridge::torch {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements that are worth a thread's waking

void fill_host(const TensorSpec& spec, TensorKey key, void* array) {
  auto* bytes = static_cast<std::byte*>(array);
  at::parallel_for(0, spec.elements(), kGrain, [&](int64_t begin, int64_t end) {
    ridge::fill(key, spec.dtype, spec.scale, begin, end - begin,
                bytes + begin * bytes_of(spec.dtype));
  });
}

}  // namespace

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::f64: return at::kDouble;
    case DType::f32:
    case DType::tf32: return at::kFloat;
    case DType::f16: return at::kHalf;
    case DType::bf16: return at::kBFloat16;
    case DType::fp8: return at::kFloat8_e4m3fn;
    case DType::int8: return at::kChar;
    case DType::int32: return at::kInt;
    case DType::uint32: return at::kUInt32;
  }
  throw std::logic_error("scalar_type: no such dtype");
}

TorchOp::Scope::Scope(const TorchOp& op) : mode_(!op.build_.gradients) {
  if (op.stream_) stream_.emplace(*op.stream_);
}

TorchOp::TorchOp(const sdk::Task& task, const Place& place, Build build)
    : task_(task),
      place_(place),
      build_(std::move(build)),
      threads_(place.host.threads_for(task.settings.threads)),
      specs_(tensors(task.work)) {
  place_.host.use(threads_);
  place_.use(build_.switches);
  if (place_.on_cuda()) {
    const c10::impl::VirtualGuardImpl guard(place_.device.type());
    stream_ = task.settings.graph ? guard.getStreamFromGlobalPool(place_.device)
                                  : guard.getStream(place_.device);
    // Events of PyTorch's default kind take no time.
    begin_.emplace(place_.device.type(), c10::EventFlag::BACKEND_DEFAULT);
    end_.emplace(place_.device.type(), c10::EventFlag::BACKEND_DEFAULT);
  }
  const Scope scope(*this);
  peak_bytes(place_.device, true);
  for (int64_t copy = 0; copy < task.copies; ++copy) {
    std::vector<at::Tensor>& set = data_.emplace_back();
    for (const TensorSpec& spec : specs_) {
      if (spec.role == TensorSpec::Role::output && build_.gives_outputs) {
        set.emplace_back();
      } else if (place_.on_cpu()) {
        const auto options = at::TensorOptions(scalar_type(spec.dtype));
        set.push_back(at::from_blob(place_.arena->allocate(spec.bytes()), spec.shape, options));
      } else {
        const auto options = at::TensorOptions(scalar_type(spec.dtype)).device(place_.device);
        set.push_back(at::empty(spec.shape, options));
      }
      bytes_ += spec.bytes();
    }
  }
}

size_t TorchOp::index_of(std::string_view name) const {
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].name == name) return i;
  }
  throw std::invalid_argument(fmt::format("no tensor named '{}'", name));
}

const at::Tensor& TorchOp::tensor(std::string_view name, int64_t copy) const {
  return data_.at(static_cast<size_t>(copy))[index_of(name)];
}

void TorchOp::give(size_t index, int64_t copy, const at::Tensor& value) {
  data_[static_cast<size_t>(copy)][index] = value;
}

void TorchOp::first_call() {
  if (data_.empty()) return;
  const Scope scope(*this);
  filled(0);
  compute(0);
  synchronize();
  if (!task_.settings.graph) return;
  for (int64_t copy = 0; copy < task_.copies; ++copy) {
    graphs_.push_back(record(*stream_, [&] { compute(copy); }));
  }
  synchronize();
}

void TorchOp::poison(size_t index, int64_t copy) {
  at::Tensor& output = data_[static_cast<size_t>(copy)][index];
  if (!output.defined()) return;
  // All bits set: NaN in every floating type, -1 in integers.
  if (place_.on_cpu() && output.is_non_overlapping_and_dense()) {
    auto* bytes = static_cast<std::byte*>(output.data_ptr());
    at::parallel_for(0, static_cast<int64_t>(output.nbytes()), kGrain,
                     [&](int64_t begin, int64_t end) {
                       std::memset(bytes + begin, 0xff, static_cast<size_t>(end - begin));
                     });
  } else if (output.is_floating_point()) {
    output.fill_(std::numeric_limits<double>::quiet_NaN());
  } else {
    output.fill_(-1);
  }
  // Where the library makes a new one each time, none is left to be read; what a graph writes to
  // stays where it is.
  if (build_.gives_outputs && !task_.settings.graph) output.reset();
}

void TorchOp::fill(const InputSource& inputs) {
  place_.host.use(threads_);
  place_.use(build_.switches);
  const Scope scope(*this);
  for (size_t i = 0; i < specs_.size(); ++i) {
    const TensorSpec& spec = specs_[i];
    if (spec.role == TensorSpec::Role::output) {
      poison(i, inputs.copy);
      continue;
    }
    at::Tensor& input = data_.at(static_cast<size_t>(inputs.copy))[i];
    if (place_.on_cpu()) {
      fill_host(spec, inputs.key(spec.name), input.data_ptr());
    } else {
      const at::Tensor made = at::empty(spec.shape, at::TensorOptions(input.scalar_type()));
      fill_host(spec, inputs.key(spec.name), made.data_ptr());
      input.copy_(made);
    }
  }
  filled(inputs.copy);
  synchronize();
  if (place_.on_cpu() && inputs.copy + 1 == task_.copies && pages_.empty()) {
    pages_ = place_.arena->huge_page_note();
  }
}

std::vector<double> TorchOp::read(std::string_view name, int64_t copy,
                                  std::span<const int64_t> elements) {
  const size_t index = index_of(name);
  const TensorSpec& spec = specs_[index];
  const at::Tensor& whole = data_.at(static_cast<size_t>(copy))[index];
  if (!whole.defined()) {
    return std::vector<double>(elements.size(), std::numeric_limits<double>::quiet_NaN());
  }
  if (whole.numel() != spec.elements()) {
    throw std::runtime_error(fmt::format("tensor '{}' has {} elements instead of {}", spec.name,
                                         whole.numel(), spec.elements()));
  }
  // Where each element lies: the library may have chosen another order than the row-major one.
  std::vector<int64_t> offsets;
  for (const int64_t element : elements) {
    if (element < 0 || element >= spec.elements()) {
      throw std::out_of_range(
          fmt::format("element {} of tensor '{}' does not exist", element, spec.name));
    }
    int64_t rest = element, offset = 0;
    for (int64_t d = whole.dim() - 1; d >= 0; --d) {
      offset += rest % whole.size(d) * whole.stride(d);
      rest /= whole.size(d);
    }
    offsets.push_back(offset);
  }
  const Scope scope(*this);
  const void* array = whole.data_ptr();
  at::Tensor picked;
  if (!place_.on_cpu()) {
    int64_t last = 0;
    for (int64_t d = 0; d < whole.dim(); ++d) last += (whole.size(d) - 1) * whole.stride(d);
    at::Tensor line = at::as_strided(whole.detach(), {last + 1}, {1}, whole.storage_offset());
    if (spec.dtype == DType::fp8) line = line.view(at::kByte);  // which gathers cannot take
    picked = line.index_select(0, at::tensor(offsets, at::kLong).to(place_.device)).cpu();
    array = picked.data_ptr();
    for (size_t i = 0; i < offsets.size(); ++i) offsets[i] = static_cast<int64_t>(i);
  }
  std::vector<double> values;
  values.reserve(offsets.size());
  for (const int64_t offset : offsets) values.push_back(load(spec.dtype, array, offset));
  return values;
}

void TorchOp::run(int64_t copy) {
  place_.host.use(threads_);
  place_.use(build_.switches);
  const Scope scope(*this);
  if (!begin_ || started_) return submit(copy);
  start_clock();
  const auto asked = std::chrono::steady_clock::now();
  submit(copy);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - asked;
  submit_ns_ = std::min(took.count(), submit_ns_.value_or(took.count()));
}

void TorchOp::submit(int64_t copy) {
  if (graphs_.empty()) {
    compute(copy);
  } else {
    graphs_[static_cast<size_t>(copy)]->replay();
  }
}

// Of a device. Its clock must not run before the first kernel does: autograd's engine takes 0.2 to
// 0.4 ms until then, 2 % of a sample. So where ops are queued the device is held for as long as the
// host takes to submit one.
void TorchOp::start_clock() {
  constexpr double kMargin = 1.5, kMostHeldNs = 1e6;
  if (task_.settings.timing == Timing::pipelined && submit_ns_) {
    hold_stream(std::min(kMargin * *submit_ns_, kMostHeldNs));
  }
  begin_->record(*stream_);
  started_ = true;
}

void TorchOp::synchronize() {
  if (stream_) stream_->synchronize();
  if (place_.device.is_mps()) at::detail::getMPSHooks().deviceSynchronize();
}

void TorchOp::wait() {
  if (end_ && started_) {
    end_->record(*stream_);
    end_->synchronize();
    // Two events within one tick of their clock: no op takes no time.
    device_ns_ = std::max(begin_->elapsedTime(*end_) * 1e6, 1.0);
  }
  synchronize();
  started_ = false;
}

double TorchOp::device_ns() { return device_ns_; }

sdk::OpInfo TorchOp::info() const {
  sdk::OpInfo info{
      .kernel = kernel_, .bytes_held = bytes_, .notes = notes_, .executed_dtype = executed_dtype_};
  if (place_.on_cpu()) {
    info.notes.push_back(fmt::format("threads: {}, OpenMP, kept to as many cores", threads_));
  }
  info.notes.emplace_back(task_.settings.graph ? "CUDA graph: recorded once, replayed" : "eager");
  if (build_.gives_outputs) {
    info.notes.emplace_back("output: allocated by PyTorch in every call, kept");
  }
  if (place_.on_cuda()) {
    info.notes.push_back(fmt::format("TF32 {}, reductions of f16 and bf16 products in f32",
                                     build_.switches.tf32 ? "on" : "off"));
    if (const int64_t peak = peak_bytes(place_.device, false); peak >= 0) info.bytes_peak = peak;
  }
  if (!pages_.empty()) info.notes.push_back(pages_);
  return info;
}

}  // namespace ridge::torch
