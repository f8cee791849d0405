#include "graph_op.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "worker/sdk/generate.h"

namespace ridge::llamacpp {
namespace {

// Bytes that tensors take one after the other in a buffer of this type.
size_t bytes_of_all(const std::vector<ggml_tensor*>& tensors, ggml_backend_buffer_type_t type) {
  const size_t alignment = ggml_backend_buft_get_alignment(type);
  size_t bytes = 0;
  for (const ggml_tensor* tensor : tensors) {
    const size_t one = ggml_backend_buft_get_alloc_size(type, tensor);
    bytes += (one + alignment - 1) / alignment * alignment;
  }
  return bytes;
}

ggml_backend_buffer_ptr new_buffer(ggml_backend_buffer_type_t type, size_t bytes) {
  ggml_backend_buffer_ptr buffer(ggml_backend_buft_alloc_buffer(type, bytes));
  if (!buffer) throw std::bad_alloc();
  return buffer;
}

void place_all(const std::vector<ggml_tensor*>& tensors, ggml_backend_buffer_t buffer) {
  ggml_tallocr allocator = ggml_tallocr_new(buffer);
  for (ggml_tensor* tensor : tensors) {
    if (ggml_tallocr_alloc(&allocator, tensor) != GGML_STATUS_SUCCESS) throw std::bad_alloc();
  }
}

}  // namespace

GraphOp::GraphOp(const sdk::Task& task, Plan plan, Engine& engine, const Place& place, int threads,
                 int cores)
    : plan_(std::move(plan)),
      engine_(engine),
      place_(place),
      backend_(engine.backend(place)),
      threads_(threads),
      cores_(cores) {
  for (int64_t copy = 0; copy < task.copies; ++copy) {
    allocate(copies_.emplace_back(plan_.build()));
  }
}

void GraphOp::allocate(Graph& graph) {
  std::vector<ggml_tensor*> own, weights, between;
  for (ggml_tensor* tensor = ggml_get_first_tensor(graph.context.get()); tensor;
       tensor = ggml_get_next_tensor(graph.context.get(), tensor)) {
    const auto is = [&](const Operand& operand) { return operand.tensor == tensor; };
    if (plan_.packed && tensor == graph.weights) {
      weights.push_back(tensor);
    } else if (tensor == graph.mask || std::ranges::any_of(graph.inputs, is) ||
               std::ranges::any_of(graph.outputs, is)) {
      own.push_back(tensor);
    } else {
      between.push_back(tensor);
    }
  }
  const auto type = ggml_backend_get_default_buffer_type(backend_);
  const auto hold = [&](const std::vector<ggml_tensor*>& tensors, ggml_backend_buffer_type_t in) {
    if (tensors.empty()) return;
    buffers_.push_back(new_buffer(in, bytes_of_all(tensors, in)));
    place_all(tensors, buffers_.back().get());
    bytes_ += static_cast<int64_t>(ggml_backend_buffer_get_size(buffers_.back().get()));
  };
  hold(own, type);
  if (!weights.empty()) {
    hold(weights, plan_.packed);
    ggml_backend_buffer_set_usage(buffers_.back().get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  }
  if (!between.empty()) {
    if (!scratch_) {
      scratch_ = new_buffer(type, bytes_of_all(between, type));
      bytes_ += static_cast<int64_t>(ggml_backend_buffer_get_size(scratch_.get()));
    }
    place_all(between, scratch_.get());
  }
  if (graph.mask) {
    ggml_backend_tensor_set(graph.mask, plan_.mask.data(), 0, ggml_nbytes(graph.mask));
  }
}

// Generated as the catalogue stores it, then as ggml does: wider, in another order.
void GraphOp::set(const Operand& operand, const InputSource& source) const {
  const TensorSpec& spec = operand.spec;
  std::vector<std::byte> made(static_cast<size_t>(spec.bytes()));
  sdk::generate(spec, source.key(spec.name), cores_, made.data());
  const bool widen =
      !spec.blocks && operand.tensor->type == GGML_TYPE_F32 && bytes_of(spec.dtype) != 4;
  if (widen || operand.place) {
    const size_t width = ggml_type_size(operand.tensor->type);
    std::vector<std::byte> laid(ggml_nbytes(operand.tensor));
    for (int64_t i = 0; i < spec.elements(); ++i) {
      std::byte* to =
          laid.data() + static_cast<size_t>(operand.place ? operand.place(i) : i) * width;
      if (widen) {
        const auto value = static_cast<float>(load(spec.dtype, made.data(), i));
        std::memcpy(to, &value, width);
      } else {
        std::memcpy(to, made.data() + static_cast<size_t>(i) * width, width);
      }
    }
    made = std::move(laid);
  }
  ggml_backend_tensor_set(operand.tensor, made.data(), 0, made.size());
}

void GraphOp::fill(const InputSource& source) {
  const Graph& graph = copies_.at(static_cast<size_t>(source.copy));
  for (const Operand& input : graph.inputs) set(input, source);
  for (const Operand& output : graph.outputs) {
    ggml_backend_tensor_memset(output.tensor, 0xff, 0, ggml_nbytes(output.tensor));  // NaN
  }
}

void GraphOp::run(int64_t copy) {
  if (threads_ > 0) engine_.use_threads(threads_);
  for (ggml_cgraph* step : copies_[static_cast<size_t>(copy)].steps) {
    const ggml_status status = ggml_backend_graph_compute_async(backend_, step);
    if (status == GGML_STATUS_ALLOC_FAILED) throw std::bad_alloc();
    if (status != GGML_STATUS_SUCCESS) {
      throw std::runtime_error(fmt::format("ggml: {}", ggml_status_to_string(status)));
    }
  }
  if (plan_.waits) wait();
}

void GraphOp::wait() { ggml_backend_synchronize(backend_); }

std::vector<double> GraphOp::read(std::string_view tensor, int64_t copy,
                                  std::span<const int64_t> elements) {
  const Graph& graph = copies_.at(static_cast<size_t>(copy));
  const Operand* found = nullptr;
  for (const auto* all : {&graph.inputs, &graph.outputs}) {
    for (const Operand& operand : *all) {
      if (operand.spec.name == tensor) found = &operand;
    }
  }
  if (!found) throw std::invalid_argument(fmt::format("no tensor named '{}'", tensor));
  const auto dtype = dtype_of(found->tensor->type);
  if (!dtype || (plan_.packed && found->tensor == graph.weights)) {
    throw std::invalid_argument(fmt::format("'{}' cannot be read element by element", tensor));
  }
  std::vector<double> values;
  const auto width = static_cast<size_t>(bytes_of(*dtype));
  for (const int64_t element : elements) {
    if (element < 0 || element >= found->spec.elements()) {
      throw std::out_of_range(fmt::format("'{}' has no element {}", tensor, element));
    }
    const auto at = static_cast<size_t>(found->place ? found->place(element) : element);
    std::byte one[8];
    ggml_backend_tensor_get(found->tensor, one, at * width, width);
    values.push_back(load(*dtype, one, 0));
  }
  return values;
}

sdk::OpInfo GraphOp::info() const {
  sdk::OpInfo info{.kernel = plan_.kernel,
                   .bytes_held = bytes_,
                   .notes = plan_.notes,
                   .executed_dtype = plan_.executed_dtype,
                   .backend = plan_.backend};
  if (threads_ > 0) {
    info.notes.push_back(fmt::format("threads: {}, ggml's pool, not pinned", threads_));
  }
  return info;
}

}  // namespace ridge::llamacpp
