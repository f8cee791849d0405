#include "graph.h"

#include <fmt/format.h>

#include <memory>
#include <stdexcept>

namespace ridge::llamacpp {
namespace {

Result<Plan> plan(const Stream& stream, const Settings&, const Place&) {
  if (stream.op != Stream::Op::copy) {
    return Error{"of the stream operations ggml has the copy: the rest would be several passes"};
  }
  if (stream.nontemporal) return Error{"ggml has no stores that bypass the caches"};
  Plan plan{.kernel = "cont"};
  plan.build = [specs = tensors(stream)] {
    Graph graph{.context = new_context(2, 1, 4)};
    ggml_context* context = graph.context.get();
    ggml_tensor* a = ggml_new_tensor_1d(context, GGML_TYPE_F32, specs[0].elements());
    ggml_tensor* c = ggml_cont(context, a);
    graph.inputs = {{specs[0], a}};
    graph.outputs = {{specs[1], c}};
    graph.steps = {graph_to(context, c)};
    return graph;
  };
  return plan;
}

// Each addition is a graph of its own, submitted by itself; with `graph` all are one graph.
Result<Plan> plan(const Dispatch& dispatch, const Settings& settings, const Place& place) {
  Plan plan{.kernel = settings.graph ? "add, one graph" : "add, a graph each", .waits = true};
  if (settings.graph && place.on_cuda) {
    plan.notes.emplace_back("ggml fuses several additions of a graph on CUDA");
  }
  plan.build = [specs = tensors(dispatch), ops = dispatch.ops, whole = settings.graph] {
    const auto count = static_cast<size_t>(ops);
    Graph graph{.context = new_context(count + 1, whole ? 1 : count, whole ? count : 1)};
    ggml_context* context = graph.context.get();
    ggml_tensor* x = ggml_new_tensor_1d(context, GGML_TYPE_F32, Dispatch::elements);
    ggml_cgraph* all = whole ? ggml_new_graph_custom(context, count, false) : nullptr;
    ggml_tensor* y = x;
    for (int64_t op = 0; op < ops; ++op) {
      y = ggml_add(context, y, x);
      ggml_cgraph* step = whole ? all : ggml_new_graph_custom(context, 1, false);
      y->flags |= GGML_TENSOR_FLAG_COMPUTE;  // as building a graph backwards from it would
      ggml_graph_add_node(step, y);
      if (!whole) graph.steps.push_back(step);
    }
    if (whole) graph.steps = {all};
    graph.inputs = {{specs[0], x}};
    graph.outputs = {{specs[1], y}};
    return graph;
  };
  return plan;
}

Result<Plan> plan(const Attention& attention, const Settings& settings, const Place& place) {
  return plan_attention(attention, settings, place);
}
Result<Plan> plan(const WorkingSet&, const Settings&, const Place&) {
  return Error{"working sets are the cpu worker's: ggml has no such walk"};
}
Result<Plan> plan(const ConvStack&, const Settings&, const Place&) {
  return Error{"language models have no such convolutions: llama.cpp neither"};
}
Result<Plan> plan(const Load&, const Settings&, const Place&) {
  return Error{"llama.cpp reads models, no raw files"};
}
Result<Plan> plan(const Alloc&, const Settings&, const Place& place) {
  if (place.on_cpu) return Error{"ggml's memory on a CPU is malloc's: the cpu worker measures it"};
  return Plan{};
}

}  // namespace

Result<Plan> plan_of(const Workload& work, const Settings& settings, const Place& place,
                     const Engine& engine) {
  const auto made = std::visit(
      [&](const auto& w) -> Result<Plan> {
        using Kind = std::decay_t<decltype(w)>;
        if constexpr (std::is_same_v<Kind, Gemm>) {
          return plan_gemm(w, settings, place, engine);
        } else if constexpr (std::is_same_v<Kind, Sustained>) {
          return plan_gemm(w.gemm, settings, place, engine);
        } else if constexpr (requires { plan(w, settings, place); }) {
          return plan(w, settings, place);
        } else {
          return Error{fmt::format("{} is no graph of ggml's", w.kind)};
        }
      },
      work);
  if (made && made->build && !has_kernels(*made, place)) {
    return Error{fmt::format("ggml has no {} on {} for this", made->kernel, place.id)};
  }
  return made;
}

ggml_context_ptr new_context(size_t tensors, size_t graphs, size_t nodes) {
  const size_t bytes =
      tensors * ggml_tensor_overhead() + graphs * ggml_graph_overhead_custom(nodes, false);
  ggml_context_ptr context(ggml_init({.mem_size = bytes, .mem_buffer = nullptr, .no_alloc = true}));
  if (!context) throw std::bad_alloc();
  return context;
}

ggml_cgraph* graph_to(ggml_context* context, ggml_tensor* result) {
  ggml_cgraph* graph = ggml_new_graph_custom(context, 4, false);
  ggml_build_forward_expand(graph, result);
  return graph;
}

bool has_kernels(const Plan& plan, const Place& place) {
  const Graph graph = plan.build();
  // An empty buffer says where the weights will lie.
  ggml_backend_buffer_ptr there;
  if (plan.packed && graph.weights) {
    there.reset(ggml_backend_buft_alloc_buffer(plan.packed, 0));
    graph.weights->buffer = there.get();
  }
  for (ggml_cgraph* step : graph.steps) {
    for (int i = 0; i < ggml_graph_n_nodes(step); ++i) {
      if (!ggml_backend_dev_supports_op(place.device, ggml_graph_node(step, i))) return false;
    }
  }
  return true;
}

ggml_type type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::tf32: return GGML_TYPE_F32;
    case DType::f16: return GGML_TYPE_F16;
    case DType::bf16: return GGML_TYPE_BF16;
    default: throw std::invalid_argument("ggml has no products of " + std::string(name(dtype)));
  }
}

std::optional<DType> dtype_of(ggml_type type) {
  switch (type) {
    case GGML_TYPE_F32: return DType::f32;
    case GGML_TYPE_F16: return DType::f16;
    case GGML_TYPE_BF16: return DType::bf16;
    default: return std::nullopt;
  }
}

}  // namespace ridge::llamacpp
