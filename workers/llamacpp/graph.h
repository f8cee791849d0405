#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine.h"
#include "workload/workload.h"

namespace ridge::llamacpp {

// A tensor of the catalogue as it lies in ggml.
struct Operand {
  TensorSpec spec;
  ggml_tensor* tensor = nullptr;
  // Where the spec's element i lies in the tensor; none: at i.
  std::function<int64_t(int64_t)> place = {};
};

// One copy of a piece of work: tensors without memory, and what computes the outputs from them.
struct Graph {
  ggml_context_ptr context;
  std::vector<Operand> inputs, outputs;
  ggml_tensor* weights = nullptr;   // that another buffer than the device's own may hold
  ggml_tensor* mask = nullptr;      // f16, filled from Plan::mask
  std::vector<ggml_cgraph*> steps;  // computed in this order
};

struct Plan {
  std::function<Graph()> build;
  std::string kernel;
  std::vector<std::string> notes = {};
  std::optional<std::string> executed_dtype = {};  // where it is not the one asked for
  std::optional<std::string> backend = {};         // which way "" came to
  ggml_backend_buffer_type_t packed = nullptr;     // where Graph::weights lie; none: with the rest
  std::vector<uint16_t> mask = {};
  bool waits = false;  // the wait belongs to the op
};

// An error is a refusal: one line, why not. Nothing is allocated or computed.
Result<Plan> plan_of(const Workload& work, const Settings& settings, const Place& place,
                     const Engine& engine);

// The parts of it, a kind each.
Result<Plan> plan_gemm(const Gemm& gemm, const Settings& settings, const Place& place,
                       const Engine& engine);
Result<Plan> plan_attention(const Attention& attention, const Settings& settings,
                            const Place& place);

// A context for `tensors` of them and `graphs` graphs of at most `nodes` each.
ggml_context_ptr new_context(size_t tensors, size_t graphs, size_t nodes);
// The graph of what `result` needs.
ggml_cgraph* graph_to(ggml_context* context, ggml_tensor* result);
// Whether the device has a kernel for all that the plan does, with weights in Plan::packed.
bool has_kernels(const Plan& plan, const Place& place);

ggml_type type_of(DType dtype);                 // of plain elements
std::optional<DType> dtype_of(ggml_type type);  // none: not plain

}  // namespace ridge::llamacpp
