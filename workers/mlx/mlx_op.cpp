#include "mlx_op.h"

#include <fmt/format.h>
#include <mlx/mlx.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "worker/sdk/generate.h"

namespace ridge::mlx_worker {
namespace {

constexpr int64_t kBatchBytes = int64_t{1} << 29;  // of outputs that are evaluated together
constexpr size_t kMostBatches = 2;                 // on their way at once

// A new array on the device with the elements of one that may lie in managed memory. As long as
// `array` is held its memory is not given to the result.
mx::array moved(const mx::array& array) {
  mx::array copy = array.dtype() == mx::uint32
                       ? mx::bitwise_or(array, mx::array(0u))
                       : mx::multiply(array, mx::array(1.0f, array.dtype()));
  mx::eval(copy);
  return copy;
}

}  // namespace

MlxOp::MlxOp(const sdk::Task& task, Graph graph, const Target& target)
    : graph_(std::move(graph)), target_(target), stream_(mx::default_stream(target.device)) {
  int64_t output_bytes = 1;
  for (const TensorSpec& spec : tensors(task.work)) {
    const bool output = spec.role == TensorSpec::Role::output;
    (output ? output_specs_ : input_specs_).push_back(spec);
    if (output) output_bytes += spec.bytes();
  }
  batch_ = static_cast<size_t>(std::clamp<int64_t>(kBatchBytes / output_bytes, 4, 64));
  inputs_.resize(static_cast<size_t>(task.copies));
  outputs_.resize(static_cast<size_t>(task.copies));
  mx::set_default_device(target_.device);
  mx::eval(graph_.constants);
  if (task.settings.graph) graph_.compute = mx::compile(graph_.compute);
  mx::reset_peak_memory();
}

mx::array MlxOp::filled(const TensorSpec& spec, const InputSource& source) const {
  mx::allocator::Data data = mx::allocator::malloc(static_cast<size_t>(spec.bytes()));
  auto* memory = static_cast<std::byte*>(data.buffer().raw_ptr());
  if (!memory) throw std::bad_alloc();
  sdk::generate(spec, source.key(spec.name), target_.cores, memory);
  const mx::array host(std::move(data), shape_of(spec.shape), dtype_of(spec.dtype));
  return target_.place == Place::cuda ? moved(host) : host;
}

void MlxOp::fill(const InputSource& source) {
  mx::set_default_device(target_.device);
  if (!in_flight_.empty() || !waiting_.empty()) wait();
  const auto copy = static_cast<size_t>(source.copy);
  Arrays &in = inputs_.at(copy), &out = outputs_.at(copy);
  in.clear();
  out.clear();
  for (const TensorSpec& spec : input_specs_) in.push_back(filled(spec, source));
  in.insert(in.end(), graph_.constants.begin(), graph_.constants.end());
  for (const TensorSpec& spec : output_specs_) out.push_back(poisoned(spec));
  if (target_.place == Place::cpu) return;
  mx::eval(out);
  mx::synchronize(stream_);
}

// All NaN. In memory of the host without a call of MLX, which for thousands of tiny copies would
// take minutes.
mx::array MlxOp::poisoned(const TensorSpec& spec) const {
  if (target_.place != Place::cpu) {
    return mx::full(shape_of(spec.shape), std::numeric_limits<float>::quiet_NaN(),
                    dtype_of(spec.dtype));
  }
  mx::allocator::Data data = mx::allocator::malloc(static_cast<size_t>(spec.bytes()));
  void* memory = data.buffer().raw_ptr();
  if (!memory) throw std::bad_alloc();
  std::memset(memory, 0xff, static_cast<size_t>(spec.bytes()));
  return mx::array(std::move(data), shape_of(spec.shape), dtype_of(spec.dtype));
}

void MlxOp::run(int64_t copy) {
  mx::set_default_device(target_.device);
  if (target_.threads > 0 && target_.blas->set_threads) target_.blas->set_threads(target_.threads);
  Arrays& out = outputs_[static_cast<size_t>(copy)];
  out = graph_.compute(inputs_[static_cast<size_t>(copy)]);
  start(out);
  if (graph_.waits) wait();
}

void MlxOp::start(const Arrays& outputs) {
  if (target_.place == Place::cpu) {
    mx::eval(outputs);
    return;
  }
  waiting_.insert(waiting_.end(), outputs.begin(), outputs.end());
  if (++waiting_ops_ >= batch_) submit();
}

void MlxOp::submit() {
  if (waiting_.empty()) return;
  while (in_flight_.size() >= kMostBatches) {
    in_flight_.front().wait();
    in_flight_.pop_front();
  }
  mx::async_eval(waiting_);
  in_flight_.push_back(waiting_.back());
  waiting_.clear();
  waiting_ops_ = 0;
}

void MlxOp::wait() {
  submit();
  mx::synchronize(stream_);
  in_flight_.clear();
}

const mx::array* MlxOp::find(std::string_view tensor, int64_t copy, DType& dtype) const {
  const auto look = [&](const std::vector<TensorSpec>& specs,
                        const Arrays& arrays) -> const mx::array* {
    for (size_t i = 0; i < specs.size() && i < arrays.size(); ++i) {
      if (specs[i].name != tensor) continue;
      dtype = specs[i].dtype;
      return &arrays[i];
    }
    return nullptr;
  };
  const auto at = static_cast<size_t>(copy);
  if (const mx::array* found = look(output_specs_, outputs_.at(at))) return found;
  return look(input_specs_, inputs_.at(at));
}

std::vector<double> MlxOp::read(std::string_view tensor, int64_t copy,
                                std::span<const int64_t> elements) {
  mx::set_default_device(target_.device);
  DType dtype{};
  const mx::array* found = find(tensor, copy, dtype);
  if (!found) throw std::invalid_argument(fmt::format("no tensor named '{}'", tensor));
  if (found->status() == mx::array::Status::unscheduled) {
    return std::vector<double>(elements.size(), std::numeric_limits<double>::quiet_NaN());
  }
  if (!found->flags().row_contiguous || found->data_size() != found->size()) {
    throw std::runtime_error(fmt::format("MLX left '{}' unmaterialised", tensor));
  }
  for (const int64_t element : elements) {
    if (element >= 0 && element < static_cast<int64_t>(found->size())) continue;
    throw std::out_of_range(fmt::format("'{}' has no element {}", tensor, element));
  }
  std::vector<double> values;
  if (target_.place == Place::cpu) {
    for (const int64_t i : elements) values.push_back(load(dtype, found->data<std::byte>(), i));
    return values;
  }
  // Looking into memory of a device would move all of the array to the host, for good.
  const std::vector<uint32_t> wanted(elements.begin(), elements.end());
  mx::array few =
      mx::take(mx::flatten(*found), mx::array(wanted.data(), {static_cast<int>(wanted.size())}));
  mx::eval(few);
  for (size_t i = 0; i < wanted.size(); ++i) {
    values.push_back(load(dtype, few.data<std::byte>(), static_cast<int64_t>(i)));
  }
  return values;
}

sdk::OpInfo MlxOp::info() const {
  sdk::OpInfo info{.kernel = graph_.kernel,
                   .notes = graph_.notes,
                   .executed_dtype = graph_.executed_dtype,
                   .backend = graph_.backend};
  for (const auto* all : {&input_specs_, &output_specs_}) {
    for (const TensorSpec& spec : *all) {
      info.bytes_held += spec.bytes() * static_cast<int64_t>(inputs_.size());
    }
  }
  if (graph_.by_blas) {
    info.notes.push_back(fmt::format("BLAS: {} ({}), {} thread{}", target_.blas->about,
                                     target_.blas->file, std::max(1, target_.threads),
                                     target_.threads > 1 ? "s" : ""));
  }
  if (target_.place != Place::cpu) {
    info.values = {{"peak_memory", static_cast<double>(mx::get_peak_memory()), "B"}};
  }
  return info;
}

}  // namespace ridge::mlx_worker
