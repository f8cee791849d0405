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

// The elements of an array anew, once that is evaluated: multiplied by 1, as nothing else moves.
mx::array moved(const mx::array& array) {
  return array.dtype() == mx::uint32 ? mx::bitwise_or(array, mx::array(0u))
                                     : mx::multiply(array, mx::array(1.0f, array.dtype()));
}

}  // namespace

MlxOp::MlxOp(const sdk::Task& task, Graph graph, const Target& target)
    : graph_(std::move(graph)), target_(target), stream_(mx::default_stream(target.device)) {
  int64_t output_bytes = 1;
  for (const TensorSpec& spec : tensors(task.work)) {
    const bool output = spec.role == TensorSpec::Role::output;
    (output ? output_specs_ : input_specs_).push_back(spec);
    if (output) output_bytes += spec.bytes();
    copy_bytes_ += spec.bytes();
  }
  batch_ = static_cast<size_t>(std::clamp<int64_t>(kBatchBytes / output_bytes, 4, 64));
  inputs_.resize(static_cast<size_t>(task.copies));
  outputs_.resize(static_cast<size_t>(task.copies));
  mx::set_default_device(target_.device);
  mx::eval(graph_.constants);
  if (task.settings.graph) graph_.compute = mx::compile(graph_.compute);
  mx::reset_peak_memory();
}

void MlxOp::fill(const InputSource& source) {
  mx::set_default_device(target_.device);
  if (!in_flight_.empty() || !waiting_.empty()) wait();
  if (!noted_.empty() && noted_.back().copy >= source.copy) fill_on_device();  // none twice
  const auto copy = static_cast<size_t>(source.copy);
  Arrays &in = inputs_.at(copy), &out = outputs_.at(copy);
  in.clear();
  out.clear();
  if (target_.place == Place::cuda) {
    noted_.push_back(source);
    if (static_cast<int64_t>(noted_.size()) * copy_bytes_ >= kBatchBytes) fill_on_device();
    return;
  }
  for (const TensorSpec& spec : input_specs_) {
    in.push_back(filled(spec, {&source, 1}, shape_of(spec.shape)));
  }
  in.insert(in.end(), graph_.constants.begin(), graph_.constants.end());
  for (const TensorSpec& spec : output_specs_) out.push_back(poisoned(spec));
}

mx::array MlxOp::filled(const TensorSpec& spec, std::span<const InputSource> copies,
                        mx::Shape shape) const {
  const int64_t bytes = spec.bytes();
  mx::allocator::Data data = mx::allocator::malloc(copies.size() * static_cast<size_t>(bytes));
  auto* memory = static_cast<std::byte*>(data.buffer().raw_ptr());
  if (!memory) throw std::bad_alloc();
  for (const InputSource& source : copies) {
    sdk::generate(spec, source.key(spec.name), target_.cores, memory);
    memory += bytes;
  }
  return mx::array(std::move(data), std::move(shape), dtype_of(spec.dtype));
}

// All NaN: a call of MLX each would take minutes for thousands of tiny copies.
mx::array MlxOp::poisoned(const TensorSpec& spec) const {
  mx::allocator::Data data = mx::allocator::malloc(static_cast<size_t>(spec.bytes()));
  void* memory = data.buffer().raw_ptr();
  if (!memory) throw std::bad_alloc();
  std::memset(memory, 0xff, static_cast<size_t>(spec.bytes()));
  return mx::array(std::move(data), shape_of(spec.shape), dtype_of(spec.dtype));
}

// One evaluation a tensor, of all copies: an evaluation is a submission, and takes longer than
// filling a tiny copy. Each copy becomes an array of its own, as MLX would have made it.
void MlxOp::fill_on_device() {
  mx::set_default_device(target_.device);
  const auto copies = static_cast<int>(noted_.size());
  const auto in = [&](const InputSource& source) -> Arrays& { return inputs(source.copy); };
  for (const TensorSpec& spec : input_specs_) {
    const auto elements = static_cast<int>(spec.elements());
    // Held while the copies are made, so that its managed memory becomes none of theirs.
    const mx::array all = filled(spec, noted_, {copies, elements});
    Arrays made;
    for (int i = 0; i < copies; ++i) {
      const mx::array one = mx::slice(all, {i, 0}, {i + 1, elements});
      made.push_back(moved(mx::reshape(one, shape_of(spec.shape))));
      in(noted_[static_cast<size_t>(i)]).push_back(made.back());
    }
    mx::eval(made);
  }
  Arrays poison;
  for (const InputSource& source : noted_) {
    in(source).insert(in(source).end(), graph_.constants.begin(), graph_.constants.end());
    Arrays& out = outputs_.at(static_cast<size_t>(source.copy));
    for (const TensorSpec& spec : output_specs_) {
      out.push_back(mx::full(shape_of(spec.shape), std::numeric_limits<float>::quiet_NaN(),
                             dtype_of(spec.dtype)));
    }
    poison.insert(poison.end(), out.begin(), out.end());
  }
  mx::eval(poison);
  mx::synchronize(stream_);
  noted_.clear();
}

void MlxOp::run(int64_t copy) {
  mx::set_default_device(target_.device);
  if (!noted_.empty()) fill_on_device();
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
  if (!noted_.empty()) fill_on_device();
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
  if (!noted_.empty()) fill_on_device();
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
